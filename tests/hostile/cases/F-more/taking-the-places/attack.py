def bind(address, port, kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((address, port))
        if kind == socket.SOCK_STREAM:
            sock.listen()


print("name:", dns("places.wild.test"))
at = socket.gethostbyname("places.wild.test")
port, dns_port = (443, 53) if LEG == "policy" else (444, 54)
print("its address:", word(bind, at, port), word(bind, "0.0.0.0", port))
print("its DNS:", word(bind, "127.0.0.1", dns_port), word(bind, "127.0.0.1", dns_port, socket.SOCK_DGRAM), word(bind, "0.0.0.0", dns_port, socket.SOCK_DGRAM))
