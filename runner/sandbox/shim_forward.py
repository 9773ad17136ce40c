"""Carries connections between two places: the host's end and the sandbox's end of `paddock forward` both use this.

Inside the sandbox this one file is the whole relay; standard library only, started beside the agent as

    python3 -I -S -B -c SOURCE FORWARD_SOCKET

It is told `TOKEN PORT` on its standard input, a line for every connection that the host holds. For each it connects to
the host's socket, names the token, connects to that port of the sandbox's loopback, and carries bytes both ways. It
ends when its standard input does. No descriptor is ever passed: a socket of the host's could be connected elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import sys

TYPE_CHECKING = False  # as in typing, whose import costs milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable

PIECE = 256 * 1024
LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
CONNECT_SECONDS = 5.0


class Carrier:
    """Many connections on one thread: who waits for what, and one buffer for all of them."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.buffer = memoryview(bytearray(PIECE))

    def wait_for(self, file: socket.socket | int, events: int, callback: Callable[[int], None]) -> None:
        """Call back with what `file` is ready for, until this is said again; with no events, forget the file."""
        try:
            known = self._selector.get_key(file)
        except KeyError:
            if events:
                self._selector.register(file, events, callback)
            return
        if not events:
            self._selector.unregister(file)
        elif events != known.events:
            self._selector.modify(file, events, callback)

    def turn(self, seconds: float | None) -> None:
        """Serve whoever is ready; wait at most that long for one."""
        for key, events in self._selector.select(seconds):
            # Whoever was served before in this turn may have closed this one.
            if key.fileobj in self._selector.get_map():
                key.data(events)

    def close(self) -> None:
        """Forget everybody."""
        self._selector.close()


class Pair:
    """Two connected sockets, what comes from one going to the other; both are closed when both have ended.

    What one cannot take yet is held, and the other is not read meanwhile. An end of one is told to the other.
    """

    def __init__(self, carrier: Carrier, one: socket.socket, other: socket.socket, closed: Callable[[], None]) -> None:
        self._carrier = carrier
        self._ends = (one, other)
        self._held = [b"", b""]
        """What is still to be sent to each."""
        self._ended = [False, False]
        """Whether each has sent its last byte."""
        self._closed = closed
        self._open = True
        for index, end in enumerate(self._ends):
            end.setblocking(False)
            with contextlib.suppress(OSError):  # a Unix socket has no such option
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._wait(index)

    def close(self) -> None:
        """Close both."""
        if self._open:
            self._open = False
            for end in self._ends:
                self._carrier.wait_for(end, 0, self._first)
                end.close()
            self._closed()

    def _wait(self, index: int) -> None:
        reading = not self._ended[index] and not self._held[1 - index]
        events = (selectors.EVENT_READ if reading else 0) | (selectors.EVENT_WRITE if self._held[index] else 0)
        self._carrier.wait_for(self._ends[index], events, self._second if index else self._first)

    def _first(self, events: int) -> None:
        self._ready(0, events)

    def _second(self, events: int) -> None:
        self._ready(1, events)

    def _ready(self, index: int, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE and self._held[index]:
                self._flush(index)
            if events & selectors.EVENT_READ and not self._held[1 - index] and not self._ended[index]:
                self._read(index)
        except OSError:  # reset, or gone: there is nobody to tell the rest to
            self.close()
        if all(self._ended) and not any(self._held):
            self.close()
        if self._open:
            self._wait(0)
            self._wait(1)

    def _read(self, index: int) -> None:
        try:
            count = self._ends[index].recv_into(self._carrier.buffer)
        except (BlockingIOError, InterruptedError):
            return
        if count:
            self._send(1 - index, self._carrier.buffer[:count])
            return
        self._ended[index] = True
        self._ends[1 - index].shutdown(socket.SHUT_WR)

    def _send(self, index: int, data: memoryview | bytes) -> None:
        try:
            sent = self._ends[index].send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        self._held[index] = b"" if sent == len(data) else bytes(data[sent:])

    def _flush(self, index: int) -> None:
        self._send(index, self._held[index])


class Relay:
    """The sandbox's end."""

    def __init__(self, carrier: Carrier, address: str, orders: int) -> None:
        self._carrier = carrier
        self._address = address
        self._orders = orders
        self._line = b""
        self.ended = False
        carrier.wait_for(orders, selectors.EVENT_READ, self._ordered)

    def _ordered(self, _events: int) -> None:
        data = os.read(self._orders, 65536)
        self.ended = not data
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._connect(line)

    def _connect(self, line: bytes) -> None:
        token, _, port = line.partition(b" ")
        with contextlib.ExitStack() as undo, contextlib.suppress(OSError):
            host = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            host.settimeout(CONNECT_SECONDS)  # the host takes everybody in at once
            host.connect(self._address)
            host.sendall(token)
            undo.pop_all()
            Arrival(self._carrier, host, int(port))


class Arrival:
    """A connection of the host's on its way to a port of the loopback, over IPv4 first; closed when nobody listens."""

    def __init__(self, carrier: Carrier, host: socket.socket, port: int) -> None:
        self._carrier = carrier
        self._host = host
        self._port = port
        self._left = list(LOOPBACKS)
        self._next()

    def _next(self) -> None:
        while self._left:
            family, address = self._left.pop(0)
            try:
                server = socket.socket(family, socket.SOCK_STREAM)
            except OSError:  # no IPv6 here
                continue
            server.setblocking(False)
            # Busy servers take their time: nobody else waits for this one.
            if server.connect_ex((address, self._port)) in {0, errno.EINPROGRESS}:
                self._carrier.wait_for(server, selectors.EVENT_WRITE, lambda _, server=server: self._decided(server))  # type: ignore[misc]
                return
            server.close()
        self._host.close()

    def _decided(self, server: socket.socket) -> None:
        self._carrier.wait_for(server, 0, lambda _: None)
        if server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            server.close()
            self._next()
            return
        Pair(self._carrier, self._host, server, lambda: None)


def main(address: str) -> None:
    """Relay until standard input ends."""
    carrier = Carrier()
    relay = Relay(carrier, address, 0)
    while not relay.ended:
        carrier.turn(None)


if __name__ == "__main__":
    main(sys.argv[1])
