"""A server on a Unix socket that answers as a test says, down to the last byte."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

PONG = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK"
UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\n\r\n"
SECONDS = 10.0


class Asked(NamedTuple):
    """One request, as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Say = Callable[["EngineSocket", socket.socket, Asked], None]


def says(*pieces: bytes) -> Say:
    """Send these, one after the other, and hang up."""

    def say(_: EngineSocket, peer: socket.socket, __: Asked) -> None:
        for piece in pieces:
            peer.sendall(piece)
            time.sleep(0.01 if len(pieces) > 1 else 0)

    return say


def document(text: str | bytes, status: str = "200 OK") -> Say:
    """An answer with its length."""
    body = text.encode() if isinstance(text, str) else text
    return says(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def silent_after(*pieces: bytes) -> Say:
    """Send these and then nothing, until the test is over."""

    def say(engine: EngineSocket, peer: socket.socket, asked: Asked) -> None:
        says(*pieces)(engine, peer, asked)
        engine.over.wait(SECONDS)

    return say


class EngineSocket:
    """The server; a scope. `answers` holds what is said to a path, without the version in front; the rest is 404."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.address = f"unix://{place}"
        self.answers: dict[str, Say] = {"/_ping": says(PONG)}
        self.asked: list[Asked] = []
        self.over = Event()
        self._threads: list[Thread] = []

    def __enter__(self) -> EngineSocket:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.place))
        self._listener.listen(64)
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(SECONDS)
        self._listener.close()

    def targets(self) -> list[str]:
        """What was asked for, but for the version of the API."""
        return [asked.target for asked in self.asked if asked.target != "/_ping"]

    def _start(self, work: Callable[..., None], *given: object) -> None:
        thread = Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                peer = self._listener.accept()[0]
            except OSError:
                return
            self._start(self._serve, peer)

    def _serve(self, peer: socket.socket) -> None:
        with peer, suppress(OSError):  # whoever asked may hang up at any time
            peer.settimeout(SECONDS)
            asked = _request(peer)
            self.asked.append(asked)
            path = asked.target.partition("?")[0].removeprefix("/v1.41")
            self.answers.get(path, document('{"message": "page not found"}', "404 Not Found"))(self, peer, asked)


def _request(peer: socket.socket) -> Asked:
    with peer.makefile("rb") as file:
        method, target, _ = file.readline().decode("latin-1").split()
        headers: dict[str, str] = {}
        while line := file.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.casefold()] = value.strip()
        return Asked(method, target, headers, file.read(int(headers.get("content-length", "0"))))
