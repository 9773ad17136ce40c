for address in ("8.8.8.8", "1.1.1.1", "198.41.0.4"):
    print(address, *(word(tcp, address, port) for port in (22, 80, 443, 8080)))
