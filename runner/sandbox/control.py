"""The host's end of a handshake: one Unix socket on which one container's first process reports, once, and waits."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from runner.errors import EngineError
from runner.plan import CONTROL_SOCKET
from runner.sandbox.proof import MAX_PROOF


class Handshake:
    """A listening socket that accepts one connection, reads one line and may answer `go`."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._peer: socket.socket | None = None
        self._line = b""

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

    def close(self) -> None:
        """Close both ends."""
        for end in (self._peer, self._listener):
            if end is not None:
                end.close()


@contextlib.contextmanager
def listen(folder: Path) -> Iterator[Handshake]:
    """A handshake on a socket in `folder`, which is mounted into one container and seen by no other."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # A socket's address holds 108 bytes and state directories can be deep: bind through the folder's descriptor.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    handshake = Handshake(listener)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(CONTROL_SOCKET, dir_fd=handle)  # that of a Paddock which died
        listener.bind(f"/proc/self/fd/{handle}/{CONTROL_SOCKET}")
        # The agent's uid has to be able to connect; only this run's sandbox sees the folder.
        (folder / CONTROL_SOCKET).chmod(0o666)
        listener.listen(1)
        yield handshake
    finally:
        handshake.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(CONTROL_SOCKET, dir_fd=handle)
        os.close(handle)
