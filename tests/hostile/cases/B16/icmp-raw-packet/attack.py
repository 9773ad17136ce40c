def ping(kind):
    packet = struct.pack("!BBHHH", 8, 0, 0, 1, 1)
    total = sum(struct.unpack("!4H", packet))
    packet = packet[:2] + struct.pack("!H", 0xFFFF & ~(total + (total >> 16))) + packet[4:]
    with socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP) as sock:
        sock.settimeout(2)
        sock.sendto(packet, ("8.8.8.8", 0))
        return "reached" if sock.recv(2000) else "nothing"


def frame():
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as sock:
        sock.bind(("lo", 0))
        sock.send(bytes(64))


print("ping:", word(ping, socket.SOCK_DGRAM))
print("raw icmp:", word(ping, socket.SOCK_RAW))
print("packet:", word(frame))
