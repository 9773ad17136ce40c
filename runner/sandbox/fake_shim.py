"""The fake engine's first process: its part of the handshake with the host."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Protocol

from runner.plan import CONTROL_SOCKET


class Killed(BaseException):
    """Ends a program's thread when its box is killed; not an `Exception`, so that a script cannot swallow it."""


class _Box(Protocol):
    def path(self, inside: str) -> Path: ...

    def stand_or_end(self) -> None: ...


def is_confirmed(box: _Box, folder: str, report: bytes) -> bool:
    """Whether the host, shown a report, says `go`; true at once where there is nobody to talk to."""
    try:
        # Through a descriptor: a socket's address holds 108 bytes only.
        handle = os.open(box.path(folder), os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        try:
            control.connect(f"/proc/self/fd/{handle}/{CONTROL_SOCKET}")
            control.sendall(report + b"\n")
            return _received(box, control) == b"go\n"
        except OSError:
            return False
        finally:
            os.close(handle)


def _received(box: _Box, control: socket.socket) -> bytes:
    control.settimeout(0.05)
    while True:
        box.stand_or_end()
        try:
            return control.recv(16)
        except TimeoutError:
            continue
