def fields(message):
    at = 4 + 2 + 32
    at += 1 + message[at]
    at += 2 + int.from_bytes(message[at : at + 2], "big")
    at += 1 + message[at]
    return at


def extended(name, kind, content):
    message = hello(name)[5:]
    at = fields(message)
    size = int.from_bytes(message[at : at + 2], "big")
    more = struct.pack("!HH", kind, len(content)) + content
    body = message[4:at] + (size + len(more)).to_bytes(2, "big") + message[at + 2 :] + more
    return records(b"\x01" + len(body).to_bytes(3, "big") + body)


def records(message, size=16384):
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def place(data):
    return word(connect, "f49.wild.test:443", data)


evil = b"evil49.test"
second = struct.pack("!HBH", len(evil) + 3, 0, len(evil)) + evil
print("another:", place(hello("evil49.test") + GOODS))
print("a sibling:", place(hello("sibling49.wild.test") + GOODS))
print("none:", place(hello(None) + GOODS))
print("encrypted:", place(extended("f49.wild.test", 0xFE0D, b"\0" * 40) + GOODS))
print("two:", place(extended("f49.wild.test", 0, second) + GOODS))
print("none, as in the draft:", place(extended("f49.wild.test", 0xFFCE, b"\0" * 40) + GOODS))
print("not TLS:", place(GOODS))
print("http:", place(head("f49.wild.test", "X-Goods: stolen goods")))
print("many records:", place(records(hello("f49.wild.test")[5:], 8) + GOODS))
print("endless:", place(b"\x16\x03\x01\x40\x00\x01\x00\xff\xff" + bytes(16380) + b"\x16\x03\x01\x40\x00" + bytes(16384) + GOODS))
print("in pieces:", word(connect, "pieces49.wild.test:443", records(hello("pieces49.wild.test")[5:], 300)))
print("in pieces, another:", place(records(hello("evil49.test")[5:], 300) + GOODS))
print("at another name's address:", word(tcp, "f49.wild.test", 443, hello("pieces49.wild.test") + GOODS))
