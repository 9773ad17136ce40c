for address in ("10.0.0.1", "172.16.0.1", "192.168.1.1"):
    print(address, word(tcp, address, 80), word(connect, f"{address}:80"))
for number in range(1, 6):
    print(number, word(connect, f"lan{number}.test:80"))
