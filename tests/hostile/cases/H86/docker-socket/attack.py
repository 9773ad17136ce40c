def ask():
    with socket.socket(socket.AF_UNIX) as engine:
        engine.connect("/var/run/docker.sock")
        engine.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        if b"200 OK" not in engine.recv(1000):
            raise ConnectionError(errno.EPROTO, "no engine")


print("engine:", attempt(ask))
