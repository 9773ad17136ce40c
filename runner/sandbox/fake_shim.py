"""The fake engine's first process: its part of the handshake with the host."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from runner.model.spec import Role, SandboxSpec
from runner.plan import COLLECTOR_OPTION, CONTROL_SOCKET
from runner.sandbox.fake_proof import fake_proof


class Killed(BaseException):
    """Ends a program's thread when its box is killed; not an `Exception`, so that a script cannot swallow it."""


class _Box(Protocol):
    spec: SandboxSpec

    def path(self, inside: str) -> Path: ...

    def stand_or_end(self) -> None: ...

    def write(self, data: bytes, stream: int = 1) -> None: ...


Program = Callable[[Any], int]
"""A scripted program: gets its box, returns its exit code."""
HandOver = Callable[[Any, socket.socket], None]


def first_process(box: _Box, programs: Mapping[str, Program], hand_over: HandOver | None) -> int:
    """Report, wait for `go`, be the program, hand over; the exit code."""
    if box.spec.role is Role.COLLECTOR:
        place, report, program = "/paddock/in", b"ready", programs["collector"]
    else:
        place, report = "/paddock/control", json.dumps(fake_proof(box.spec)).encode()
        program = programs.get(box.spec.argv[0], _not_found)
    with reported(box, place, report) as (confirmed, control):
        if not confirmed:
            box.write(b"paddock: no word from the host\n", 2)
            return 125
        code = program(box)
        if control is not None and hand_over is not None and COLLECTOR_OPTION in box.spec.entrypoint:
            hand_over(box, control)
        return code


def _not_found(box: _Box) -> int:
    box.write(f"paddock: {box.spec.argv[0]}: command not found\n".encode(), 2)
    return 127


@contextmanager
def reported(box: _Box, folder: str, report: bytes) -> Iterator[tuple[bool, socket.socket | None]]:
    """Whether the host, shown a report, says `go`, and the connection; true at once where nobody listens."""
    with ExitStack() as scope:
        try:
            # Through a descriptor: a socket's address holds 108 bytes only.
            handle = os.open(box.path(folder), os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            yield True, None
            return
        scope.callback(os.close, handle)
        control = scope.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            control.connect(f"/proc/self/fd/{handle}/{CONTROL_SOCKET}")
            control.sendall(report + b"\n")
            confirmed = _received(box, control) == b"go\n"
        except OSError:
            confirmed = False
        yield confirmed, control


def _received(box: _Box, control: socket.socket) -> bytes:
    control.settimeout(0.05)
    while True:
        box.stand_or_end()
        try:
            return control.recv(16)
        except TimeoutError:
            continue
