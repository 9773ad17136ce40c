for port in (22, 25, 80, 8443):
    print(port, word(connect, f"tls.test:{port}"))
