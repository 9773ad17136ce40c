print("directly:", *(word(tcp, address, int(os.environ["HOST_TCP"]) if LEG == "policy" else 80) for address in ("127.0.0.1", "127.9.9.9", "0.0.0.0")))
for number in range(1, 6):
    print(number, word(connect, f"loop{number}.test:80"))
for place in ("localhost:80", "127.0.0.1:80", "[::1]:80", "::1:80", "0:80", "0.0.0.0:80"):
    print(place, word(connect, place))
