print("directly:", *(word(tcp, address, port) for address in ("192.168.65.7", "172.17.0.1") for port in (2375, 2376)))
print("by a listed name and port:", word(connect, "api.test:2375", b"GET /version HTTP/1.0\r\n\r\n"))
