for port in (443, 123, 53, 5353):
    print(port, word(udp, "8.8.8.8", port), word(udp, "b15.wild.test", port, b"x" if port == 53 else GOODS))
