for by in ("udp", "tcp"):
    print(f"dns by {by}:", word(dns, "some2.test", 1, "127.0.0.1", by))
print("by name:", word(tcp, "some2.test", 80))
print("by address:", word(tcp, "198.41.0.4", 80))
print("through the gateway:", word(connect, "some2.test:80"))
