for port in (22, 25, 81, 3306, 5432, 6379, 8080, 8443, 27017):
    by_name, by_address = word(tcp, "b13.wild.test", port), word(tcp, "198.41.0.13", port)
    print(port, by_name, by_address, word(connect, f"b13.wild.test:{port}"))
