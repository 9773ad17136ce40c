def door():
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("/paddock/control/gateway.sock")


def resolver(kind):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(2)
        sock.connect(("127.0.0.1", 53))
        sock.send(b"x")
        return sock.recv(10)


print("gateway:", attempt(door))
print("resolver:", attempt(lambda: resolver(socket.SOCK_STREAM)), attempt(lambda: resolver(socket.SOCK_DGRAM)))
