for server in ("8.8.8.8", "1.1.1.1"):
    print(server, *(word(dns, "evil19.test", 1, server, by) for by in ("udp", "tcp")))
