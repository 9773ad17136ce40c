for port in ("007", "080", "-1", "0", "99999", "65536", "65616", "+80", "0x50", "80.0", "8_0", "", " 80", "80a", "\u0668\u0660", "1" * 100):
    print(ascii(port), word(connect, f"open43.test:{port}"))
print("no port:", word(connect, "open43.test"))
print("not of this mode:", word(connect, "open43.test:22"), word(connect, "open43.test:8080"))
