"""The host's end of `paddock forward`: a loopback port, and a socket to which a relay in the sandbox connects back.

The host opens nothing that an agent could replace: it makes the socket, in a folder that the sandbox sees read-only,
and only listens there. Whoever connects and does not name the token of a waiting connection is sent away; whoever
does is at most the server's answer to that one connection, which the agent could give anyway.
"""

from __future__ import annotations

import contextlib
import errno
import queue
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.errors import ContainerGoneError, UsageError
from runner.folder_socket import listening_in
from runner.sandbox.engine import Inside
from runner.sandbox.shim_forward import Carrier, Pair

ADDRESS = "127.0.0.1"
TOKEN_BYTES = 32
PAIRING_SECONDS = 10.0
MOST_WAITING = 512
"""Connections that wait for the relay, and strangers that have not named a token yet: more of either are sent away."""
BACKLOG = 512
TURN_SECONDS = 0.5
SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
SHORTAGE_SECONDS = 0.05
SHIM_FORWARD = Path(__file__).with_name("shim_forward.py")


@dataclass(frozen=True, kw_only=True)
class Door:
    """One port of the sandbox, and the listener that stands for it on the host."""

    inner: int
    listener: socket.socket

    @property
    def outer(self) -> int:
        """The host's port."""
        port: int = self.listener.getsockname()[1]
        return port


@dataclass
class _Stranger:
    peer: socket.socket
    until: float
    said: bytes = b""


class Forwarder:
    """Everything that is forwarded into one sandbox. `turn` it until `ended`, on one thread."""

    def __init__(self, listener: socket.socket, doors: tuple[Door, ...]) -> None:
        self._carrier = Carrier()
        self._waiting: dict[bytes, tuple[socket.socket, float]] = {}
        self._strangers: dict[int, _Stranger] = {}
        self._pairs: set[Pair] = set()
        self._orders: queue.Queue[bytes | None] = queue.Queue(MOST_WAITING)
        self._listeners = (listener, *(door.listener for door in doors))
        self.ended = threading.Event()
        """The relay has gone."""
        for end in self._listeners:
            end.setblocking(False)
        self._carrier.wait_for(listener, selectors.EVENT_READ, lambda _: self._come_back(listener))
        for door in doors:
            self._carrier.wait_for(door.listener, selectors.EVENT_READ, lambda _, door=door: self._come_in(door))  # type: ignore[misc]

    def serve(self, relay: Inside) -> None:
        """Hand the relay its orders, and see when it ends; what it says is nobody's concern."""
        for work in (self._hand_over, self._see_the_end):
            threading.Thread(target=work, args=(relay,), name=f"forward{work.__name__}", daemon=True).start()

    def turn(self) -> None:
        """Carry whatever can be carried."""
        self._carrier.turn(TURN_SECONDS)
        now = time.monotonic()
        for token in [token for token, (_, until) in self._waiting.items() if until < now]:
            self._waiting.pop(token)[0].close()
        for stranger in [stranger for stranger in self._strangers.values() if stranger.until < now]:
            self._dismiss(stranger)

    def close(self) -> None:
        """Close every connection."""
        for pair in list(self._pairs):
            pair.close()
        for stranger in list(self._strangers.values()):
            self._dismiss(stranger)
        for client, _ in self._waiting.values():
            client.close()
        with contextlib.suppress(queue.Full):
            self._orders.put_nowait(None)
        self._carrier.close()

    def _come_in(self, door: Door) -> None:
        client = _accepted(door.listener)
        if client is None:
            return
        token = secrets.token_hex(TOKEN_BYTES // 2).encode()
        try:
            if len(self._waiting) >= MOST_WAITING:
                raise queue.Full
            self._orders.put_nowait(b"%s %d\n" % (token, door.inner))
        except queue.Full:
            client.close()
            return
        self._waiting[token] = (client, time.monotonic() + PAIRING_SECONDS)

    def _come_back(self, listener: socket.socket) -> None:
        peer = _accepted(listener)
        if peer is None:
            return
        if len(self._strangers) >= MOST_WAITING:
            peer.close()
            return
        peer.setblocking(False)
        stranger = self._strangers[peer.fileno()] = _Stranger(peer, time.monotonic() + PAIRING_SECONDS)
        self._carrier.wait_for(peer, selectors.EVENT_READ, lambda _: self._listen_to(stranger))

    def _listen_to(self, stranger: _Stranger) -> None:
        """Read a token's length and no more: what follows is the answer."""
        try:
            data = stranger.peer.recv(TOKEN_BYTES - len(stranger.said))
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        stranger.said += data
        if data and len(stranger.said) < TOKEN_BYTES:
            return
        # 128 random bits, good for one use: there is nothing to learn from how long the look-up takes.
        found = self._waiting.pop(stranger.said, None)
        if found is None:
            self._dismiss(stranger)
            return
        self._forget(stranger)
        self._join(found[0], stranger.peer)

    def _join(self, client: socket.socket, peer: socket.socket) -> None:
        pair = Pair(self._carrier, client, peer, lambda: self._pairs.discard(pair))
        self._pairs.add(pair)

    def _forget(self, stranger: _Stranger) -> None:
        self._strangers.pop(stranger.peer.fileno(), None)
        self._carrier.wait_for(stranger.peer, 0, lambda _: None)

    def _dismiss(self, stranger: _Stranger) -> None:
        self._forget(stranger)
        stranger.peer.close()

    def _hand_over(self, relay: Inside) -> None:
        with contextlib.suppress(ContainerGoneError):
            while order := self._orders.get():
                relay.write(order)

    def _see_the_end(self, relay: Inside) -> None:
        for _ in relay.output():
            pass
        self.ended.set()


@contextlib.contextmanager
def listen_back(folder: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket of an unguessable name in a folder that one sandbox sees, and that name; gone when the scope ends."""
    name = f"forward-{secrets.token_hex(8)}.sock"
    with listening_in(folder, name, BACKLOG) as listener:
        yield listener, name


def open_door(inner: int, outer: int, *, exactly: bool) -> Door:
    """Listen on the host at port `outer`, or unless `exactly` at the next that is free. Raises `UsageError`."""
    failure = ""
    for port in range(outer, outer + 1 if exactly else 65536):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((ADDRESS, port))
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            failure = error.strerror or ""
            continue
        return Door(inner=inner, listener=listener)
    raise UsageError(f"{ADDRESS}:{outer} cannot be listened at: {failure}.", hint="Name another port after the colon.")


def _accepted(listener: socket.socket) -> socket.socket | None:
    try:
        return listener.accept()[0]
    except OSError as error:
        if error.errno in SHORTAGES:
            time.sleep(SHORTAGE_SECONDS)  # it would be asked again at once
        return None
