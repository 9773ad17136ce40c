"""The host's end of a handshake: one Unix socket on which one container's first process reports, and waits.

A sandbox that hands its work over does so on the same connection, which nobody but its first process ever has.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from runner.errors import EngineError
from runner.folder_socket import listening_in
from runner.plan import CONTROL_SOCKET
from runner.sandbox.proof import MAX_PROOF

PIECE = 256 * 1024
ANSWER_SECONDS = 60.0


class Handshake:
    """A listening socket that accepts one connection, reads one line and may answer `go`."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._peer: socket.socket | None = None
        self._line = b""
        self._more = b""
        """What came on the connection later, and nobody has taken yet."""

    def receive(self, deadline: float) -> bytes | None:
        """The line that came, or `None` when none came within `deadline` seconds. Never more than `MAX_PROOF` bytes.

        Whoever has connected, and what has come of the line, is kept for the next call.
        """
        end = time.monotonic() + deadline
        try:
            if self._peer is None:
                self._listener.settimeout(max(deadline, 0.001))
                self._peer, _ = self._listener.accept()
            while not self._line.endswith(b"\n") and len(self._line) <= MAX_PROOF:
                self._peer.settimeout(max(end - time.monotonic(), 0.001))
                piece = self._peer.recv(65536)
                if not piece:
                    self._peer.close()
                    self._peer, self._line = None, b""
                    return None
                self._line += piece
        except TimeoutError:
            return None
        return self._line

    def go(self) -> None:
        """Let it go on. Raises `EngineError` when the container has gone."""
        try:
            if self._peer is not None:
                self._peer.sendall(b"go\n")
        except OSError as error:
            raise EngineError("The container ended before it could be told to go on.") from error

    def later_line(self, most: int, until: float | None = None) -> bytes:
        """The next line, at most `most` bytes long, before `until` on the monotonic clock; empty when none comes.

        Raises `OSError`.
        """
        while b"\n" not in self._more and len(self._more) <= most:
            piece = self._next(until)
            if not piece:
                return b""
            self._more += piece
        line, _, self._more = self._more.partition(b"\n")
        return line if len(line) <= most else b""

    def answer(self, line: bytes) -> None:
        """Say something back. Raises `OSError`."""
        if self._peer is not None:
            self._peer.settimeout(ANSWER_SECONDS)
            self._peer.sendall(line)

    def pour(self, size: int, target: BinaryIO, until: float) -> bool:
        """Write the next `size` bytes to a file; False when fewer came before `until`. Raises `OSError`."""
        while size:
            piece = self._more or self._next(until)
            if not piece:
                return False
            target.write(piece[:size])
            self._more, size = piece[size:], max(0, size - len(piece))
        return True

    def _next(self, until: float | None) -> bytes:
        if self._peer is None or (until is not None and time.monotonic() > until):
            return b""
        self._peer.settimeout(None if until is None else max(until - time.monotonic(), 0.001))
        return self._peer.recv(PIECE)

    def hang_up(self) -> None:
        """Whoever waits here for the container waits no longer."""
        if self._peer is not None:
            with contextlib.suppress(OSError):
                self._peer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close both ends."""
        for end in (self._peer, self._listener):
            if end is not None:
                end.close()


@contextlib.contextmanager
def listen(folder: Path) -> Iterator[Handshake]:
    """A handshake on a socket in `folder`, which is mounted into one container and seen by no other.

    Raises `EngineError`.
    """
    with contextlib.ExitStack() as scope:
        try:
            listener = scope.enter_context(listening_in(folder, CONTROL_SOCKET, 1))
        except OSError as error:
            raise EngineError(f"The first process's socket cannot be made: {error.strerror}.") from error
        handshake = Handshake(listener)
        scope.callback(handshake.close)
        yield handshake
