"""A client of the benchmark's, alone and of the standard library: `traffic.py HOST PORT BYTES REQUESTS [PROXY PORT]`.

Prints, as JSON, the seconds that one download took, that so many small requests took over 64 connections that stay,
and that they took over connections of their own, 64 at a time.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time

AT_ONCE = 64
HOST, PORT = sys.argv[1], int(sys.argv[2])
PROXY = (socket.gethostbyname(sys.argv[5]), int(sys.argv[6])) if len(sys.argv) > 5 else None
SMALL = b"GET / HTTP/1.1\r\n\r\n"
TUNNEL = f"CONNECT {HOST}:{PORT} HTTP/1.1\r\nHost: {HOST}:{PORT}\r\n\r\n".encode()


def expect(true: bool) -> None:
    """End when an answer is another one: nothing was measured then."""
    if not true:
        raise SystemExit("the server, or the proxy, gave another answer")


def connect() -> socket.socket:
    """A connection to the server, through the proxy where there is one."""
    there = socket.create_connection(PROXY or (HOST, PORT), timeout=60)
    if PROXY:
        there.sendall(TUNNEL)
        expect(b" 200 " in there.recv(4096))
    return there


def download(size: int) -> None:
    """That many bytes over one connection."""
    buffer, left = bytearray(1 << 18), size
    with connect() as there:
        there.sendall(b"GET /bytes/%d HTTP/1.1\r\n\r\n" % size)
        while left > 0:
            count = there.recv_into(buffer)
            expect(count > 0)
            left -= count


def ask_on(requests: int) -> None:
    """Small requests, each connection asking again as soon as it has its answer."""
    chosen = selectors.DefaultSelector()
    for _ in range(AT_ONCE):
        there = connect()
        chosen.register(there, selectors.EVENT_READ)
        there.send(SMALL)
    while requests > 0:
        for key, _ in chosen.select(60):
            there = key.fileobj  # type: ignore[assignment]
            expect(there.recv(4096).endswith(b"ok"))
            requests -= 1
            there.send(SMALL)


def ask_anew(requests: int) -> None:
    """Small requests, each over a connection of its own."""
    chosen, left, begun = selectors.DefaultSelector(), requests, 0
    target = PROXY or (socket.gethostbyname(HOST), PORT)
    steps = (TUNNEL, SMALL) if PROXY else (SMALL,)

    def begin() -> None:
        there = socket.socket()
        there.setblocking(False)
        there.connect_ex(target)
        chosen.register(there, selectors.EVENT_WRITE, iter(steps))

    while left > 0:
        while begun < requests and begun - (requests - left) < AT_ONCE:
            begin()
            begun += 1
        for key, event in chosen.select(60):
            there: socket.socket = key.fileobj  # type: ignore[assignment]
            if event == selectors.EVENT_READ:
                expect(b" 200 " in there.recv(4096))
            step = next(key.data, None)
            if step is None:
                chosen.unregister(there)
                there.close()
                left -= 1
            else:
                there.send(step)
                chosen.modify(there, selectors.EVENT_READ, key.data)


def timed(what: object, amount: int) -> float:
    """Seconds."""
    begin = time.perf_counter()
    what(amount)  # type: ignore[operator]
    return time.perf_counter() - begin


size, requests = int(sys.argv[3]), int(sys.argv[4])
download(size // 10)
print(json.dumps([timed(download, size), timed(ask_on, requests * 4), timed(ask_anew, requests)]))
