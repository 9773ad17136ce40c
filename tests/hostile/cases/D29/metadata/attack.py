for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200"):
    print(address, word(tcp, address, 80), word(connect, f"{address}:80"))
for number in range(1, 7):
    print(number, word(connect, f"meta{number}.test:80"))
print("its name:", dns("metadata.google.internal"), word(connect, "metadata.google.internal:80"), word(connect, "metadata:80"))
