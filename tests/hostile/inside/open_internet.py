"""The open setup of attacks on the network: a container whose own loopback is every address of the world.

A DNS server knows every name, something answers on every port that is tried, and a gateway does what it is told.
Nothing leaves the container. Also loaded by the host's end, which answers as these servers do.
"""

import base64
import json
import os
import re
import select
import socket
import struct
import sys
import threading

GOODS = b"stolen goods"
PUBLIC = "198.41.0.4"
TCP_PORTS = (22, 25, 53, 80, 81, 443, 853, 2375, 2376, 3306, 5353, 5432, 6379, 8080, 8443, 27017)
UDP_PORTS = (53, 123, 443, 5353)
UPGRADE = re.compile(rb"(?im)^upgrade: *(websocket|h2c)\r$")
KEY = re.compile(rb"sk-canary-[0-9a-f]{16}")
HANDED_OVER = os.environ.get("API_KEY", "").encode()
"""Where a key is injected by somebody naive, every request gets it."""


def answer(data):
    """What a server of the made-up internet says to a client's bytes."""
    if not re.match(rb"[A-Z]+ ", data):
        return b"reached\n"
    if data.split(b" ", 2)[1].startswith(b"/away"):
        place = data.split(b" ", 2)[1].partition(b"?")[2] or b"evil-redirect.test/"
        return b"HTTP/1.1 302 Found\r\nLocation: http://%s\r\nContent-Length: 0\r\n\r\n" % place
    if b"/echo" in data.split(b" ", 2)[1]:
        return echo_of(data, data.split(b" ", 2)[1].rpartition(b"/")[2])
    if UPGRADE.search(data):
        return b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    said = b"reached with goods\n" if GOODS in data else b"reached\n"
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said)


def echo_of(data, form):
    """What was asked, told again; as `form` says, the keys in it are spelled otherwise or sent in pieces."""
    if HANDED_OVER:
        data = data.replace(b"\r\n", b"\r\nx-api-key: " + HANDED_OVER + b"\r\n", 1)
    keys = b" ".join(KEY.findall(data))
    spelled = {
        b"base64": base64.b64encode(b"." + keys),
        b"url-base64": base64.urlsafe_b64encode(b".." + keys),
        b"hex": keys.hex().encode(),
        b"percent": b"".join(b"%%%02x" % byte for byte in keys),
    }
    body = b"<" + spelled.get(form, data) + b"> end of echo\n"
    if form == b"chunks":
        pieces = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n"
    told = b"X-Echo: " + keys + b"\r\nLocation: /?key=" + keys + b"\r\n" if form == b"headers" else b""
    status = keys if form == b"status" else b"OK"
    return b"HTTP/1.1 200 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, told, len(body), body)


def whole(data):
    """Whether a client has said enough for an answer."""
    return bool(data) and (b"\r\n\r\n" in data or not re.match(rb"[A-Z]+ ", data))


def serve(sock):
    """One client."""
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
            if whole(data):
                sock.sendall(answer(data))
                data = b""
    except OSError:
        pass
    sock.close()


def accept(listener, handler):
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=handler, args=(sock,), daemon=True).start()


def own_the_world():
    """Every address is local: `ip route add local 0.0.0.0/0 dev lo`, and the same for IPv6 (rtnetlink(7))."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        for family in (socket.AF_INET, socket.AF_INET6):
            scope = 254 if family == socket.AF_INET else 0
            body = struct.pack("=8BI", family, 0, 0, 0, 255, 3, scope, 2, 0)
            body += struct.pack("=HHI", 8, 4, socket.if_nametoindex("lo"))
            kernel.send(struct.pack("=LHHLL", 16 + len(body), 24, 0x605, 1, 0) + body)
            code = struct.unpack_from("=i", kernel.recv(4096), 16)[0]
            if code:
                sys.exit(f"no route for family {family}: {code}")


def dns_answer(packet, names):
    """A resolver that knows every name, and says so."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1 : at + 1 + packet[at]])
        at += 1 + packet[at]
    name = b".".join(labels).decode("ascii", "replace").lower()
    kind = struct.unpack_from("!H", packet, at + 1)[0]
    texts = [text for text in names.get(name, [PUBLIC]) if (":" in text) == (kind == 28)]
    if kind == 1 and not texts and name not in names:
        texts = [PUBLIC]
    pairs = [socket.inet_pton(socket.AF_INET6 if kind == 28 else socket.AF_INET, text) for text in texts]
    if kind not in (1, 28):
        pairs = [b"\x07reached"]
    records = b"".join(struct.pack("!HHHIH", 0xC00C, kind, 1, 1, len(pair)) + pair for pair in pairs)
    return packet[:2] + struct.pack("!5H", 0x8180, 1, len(pairs), 0, 0) + packet[12 : at + 5] + records


def serve_dns(sock, names):
    while True:
        packet, peer = sock.recvfrom(4096)
        try:
            reply = dns_answer(packet, names)
        except (IndexError, struct.error):
            reply = b"reached\n"  # not DNS at all: whoever asks wanted to know only whether it arrives
        sock.sendto(reply, peer)


def serve_dns_tcp(sock, names):
    try:
        data = sock.recv(4096)
        size = struct.unpack_from("!H", data)[0]
        if len(data) >= 2 + size:
            reply = dns_answer(data[2:], names)
            sock.sendall(struct.pack("!H", len(reply)) + reply)
        else:
            sock.sendall(b"reached\n")
    except (OSError, IndexError, struct.error):
        pass
    sock.close()


def echo(sock):
    while True:
        _, peer = sock.recvfrom(4096)
        sock.sendto(b"reached", peer)


def carry(sock):
    """A naive gateway: whatever it is told it looks up and dials, and its log is what the client wrote."""
    data = b""
    while b"\n" not in data and (piece := sock.recv(65536)):
        data += piece
    line, _, rest = data.partition(b"\n")
    if line.startswith(b"LOOKUP "):
        with open("/tmp/naive.log", "ab") as log:
            log.write(line.split(b" ", 1)[1].replace(b"\\n", b"\n") + b"\n")
        sock.sendall(b"PORTS 80,443\n")
        return
    place = line.removeprefix(b"CONNECT ").decode("utf-8", "replace").strip()
    name, _, port = place.rpartition(":")
    with open("/tmp/naive.log", "ab") as log:
        log.write(line + b"\n")
    name = name.rpartition("@")[2].split("\\")[0].split("#")[0].split("/")[0].split("\0")[0].split("%2")[0]
    name = name.strip(" []").partition("%")[0]
    try:
        number = int(re.sub(r"[^0-9]", "", port) or 80) % 65536
        found = socket.getaddrinfo(name or "x.test", number, type=socket.SOCK_STREAM)[0]
        far = socket.socket(found[0])
        far.connect(found[4])
    except (OSError, UnicodeError):
        far = socket.create_connection((PUBLIC, 80))  # a name that only a naive reader understands
    sock.sendall(b"OK\n")
    if rest:
        far.sendall(rest)
    while ready := select.select([sock, far], [], [], 10)[0]:
        for side in ready:
            piece = side.recv(65536)
            if not piece:
                return
            (far if side is sock else sock).sendall(piece)


def main():
    names = json.loads(sys.argv[1])
    own_the_world()
    for port in TCP_PORTS:
        listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=4096)
        handler = (lambda sock: serve_dns_tcp(sock, names)) if port == 53 else serve
        threading.Thread(target=accept, args=(listener, handler), daemon=True).start()
    for port in UDP_PORTS:
        places = [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]
        places += [(socket.AF_INET, "127.0.0.11"), (socket.AF_INET, "127.0.0.53")] if port == 53 else []
        for family, place in places:
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((place, port))
            target = serve_dns if port == 53 else echo
            threading.Thread(target=target, args=(sock, names) if port == 53 else (sock,), daemon=True).start()
    os.makedirs("/paddock/control", exist_ok=True)
    door = socket.socket(socket.AF_UNIX)
    door.bind("/paddock/control/gateway.sock")
    door.listen(4096)
    os.chmod("/paddock/control/gateway.sock", 0o666)
    threading.Thread(target=accept, args=(door, lambda sock: (carry(sock), sock.close())), daemon=True).start()
    print("the world is open", flush=True)
    os.close(1)
    threading.Event().wait()


if __name__ == "__main__":
    main()
