ASK = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==")


def websocket(name, before=(), ask=ASK, host=None):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(SECONDS)
        sock.connect(GATEWAY)
        sock.sendall(f"CONNECT {name}:80\n".encode())
        word = sock.recv(100)
        if word != b"OK\n":
            return word.decode().strip()
        for request in before:
            sock.sendall(request)
            sock.recv(1000)
        sock.sendall(head(host or name, *ask))
        if b" 101 " not in sock.recv(1000):
            return "no websocket"
        sock.sendall(b"\x82\x01x")
        return heard(sock)


print("websocket:", word(websocket, "ws53.wild.test"))
print("websocket elsewhere:", word(websocket, "evil53.test"))
print("websocket for another:", word(websocket, "f53.wild.test", host="evil53.test"))
print("by a later request:", word(websocket, "later53.wild.test", [head("later53.wild.test")]))
print("h2 at once:", word(connect, "f53.wild.test:80", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + GOODS))
print("h2c:", word(websocket, "h2c53.wild.test", (), ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")))
print("bytes before the answer:", word(connect, "early53.wild.test:80", head("early53.wild.test", *ASK) + GOODS))
