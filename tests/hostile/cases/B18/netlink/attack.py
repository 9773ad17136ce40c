def tell(kind, body, family=0):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family) as kernel:
        kernel.send(struct.pack("=LHHLL", 16 + len(body), kind, 0x605, 1, 0) + body)
        code = -struct.unpack_from("=i", kernel.recv(4096), 16)[0]
        return errno.errorcode[code] if code else "ok"


def by_ioctl(number):
    import fcntl

    place = struct.pack("=HH4s8x", socket.AF_INET, 0, bytes([8, 8, 8, 8]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, number, struct.pack("16s16s8x", b"lo:1", place))


lo = socket.if_nametoindex("lo")
route = struct.pack("=8BI", 2, 32, 0, 0, 254, 3, 253, 1, 0) + struct.pack("=HH4s", 8, 1, bytes([8, 8, 4, 4]))
print("route:", word(tell, 24, route + struct.pack("=HHI", 8, 4, lo)))
print("address:", word(tell, 20, struct.pack("=4BI", 2, 32, 0, 0, lo) + struct.pack("=HH4s", 8, 2, bytes([8, 8, 8, 8]))))
print("link:", word(tell, 16, struct.pack("=BxHiII", 0, 0, lo, 0, 0) + struct.pack("=HHI", 8, 4, 1400)))
print("rule:", word(tell, 32, struct.pack("=8BI", 2, 0, 0, 0, 254, 0, 0, 1, 0)))
print("ioctl:", word(by_ioctl, 0x8916))
print("after all that:", word(tcp, "8.8.8.8", 443))
