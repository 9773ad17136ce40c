def zeros(count):
    """A loose object of so many MiB of zeros: one deflated piece, again and again."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = b"blob %d\0" % (count << 20)
    first = squeeze.compress(head) + squeeze.flush(zlib.Z_FULL_FLUSH)
    piece = squeeze.compress(bytes(1 << 20)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    digest, sum32 = hashlib.sha1(head), zlib.adler32(head)
    for _ in range(count):
        digest.update(bytes(1 << 20))
        sum32 = zlib.adler32(bytes(1 << 20), sum32)
    name = digest.hexdigest()
    os.makedirs(f".git/objects/{name[:2]}", exist_ok=True)
    with open(f".git/objects/{name[:2]}/{name[2:]}", "wb") as file:
        file.write(b"\x78\xda" + first)
        for _ in range(count):
            file.write(piece)
        file.write(squeeze.flush() + struct.pack(">I", sum32))
    return name


commit(store(b"tree", entry(b"100644", b"zeros", zeros(1100))), b"a gigabyte of zeros")
print("planted")
