for server in ("127.0.0.11", "127.0.0.53"):
    print(server, *(word(dns, "evil20.test", 1, server, by) for by in ("udp", "tcp")))
print("its own:", *(word(dns, "a-secret.evil20.test", 1, "127.0.0.1", by) for by in ("udp", "tcp")))
