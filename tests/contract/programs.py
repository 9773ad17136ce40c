"""The programs of the contract suite, each in two forms: a shell script for a real container, Python for the fake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from runner.sandbox.fake import FakeBox
from runner.sandbox.fake_exec import FakeInside

LINES = 400_000
"""How many lines a flood prints on each stream: about 2.7 MB."""
EVERY_BYTE = bytes(range(256)) * 300
FOLDER = "/programs"
SHARED = "/shared"


class Scripted(NamedTuple):
    """One program, written down twice."""

    shell: str
    fake: Callable[[FakeBox], int]


def numbers() -> bytes:
    """What a flood prints on each stream."""
    return b"".join(b"%d\n" % number for number in range(1, LINES + 1))


def argument(box: FakeBox) -> str:
    """The program's first argument."""
    return box.spec.argv[1]


def _both(box: FakeBox) -> int:
    box.write(b"to the first\n")
    box.write(b"to the second\n", 2)
    return 0


def _flood(box: FakeBox) -> int:
    data = numbers()
    for start in range(0, len(data), 65536):
        box.write(data[start : start + 65536])
        box.write(data[start : start + 65536], 2)
    return 0


def _binary(box: FakeBox) -> int:
    box.write(EVERY_BYTE)
    return 0


def _sleep(box: FakeBox) -> int:
    box.write(b"ready\n")
    box.sleep(60)
    return 0


def _stubborn(box: FakeBox) -> int:
    box.ignored = {"SIGTERM"}
    return _sleep(box)


def _farewell(box: FakeBox) -> int:
    box.ignored = {"SIGTERM"}
    box.write(b"ready\n")
    while "SIGTERM" not in box.received:
        box.sleep(0.02)
    box.write(b"bye\n")
    return 3


def _hog(box: FakeBox) -> int:
    box.memory_killed = True
    return 137


def _hog_child(box: FakeBox) -> int:
    box.memory_killed = True
    return 0


def _environment(box: FakeBox) -> int:
    value = box.environment.get(argument(box))
    box.write(f"{value}\n".encode() if value is not None else b"")
    return 0 if value is not None else 1


def _write(box: FakeBox) -> int:
    box.path(f"{SHARED}/file").write_text(argument(box))
    return 0


_EAT = "python3 -c 'b = bytearray(400 * 2**20)'"

PROGRAMS: dict[str, Scripted] = {
    "end": Scripted('exit "$1"', lambda box: int(argument(box))),
    "both": Scripted("echo to the first; echo to the second >&2", _both),
    "flood": Scripted(f"seq 1 {LINES} & seq 1 {LINES} >&2; wait", _flood),
    "binary": Scripted("""exec python3 -c 'import os; os.write(1, bytes(range(256)) * 300)'""", _binary),
    "sleep": Scripted("echo ready; exec sleep 60", _sleep),
    "stubborn": Scripted("trap '' TERM; echo ready; exec sleep 60", _stubborn),
    "farewell": Scripted(
        "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.02; done",
        _farewell,
    ),
    "hog": Scripted(f"exec {_EAT}", _hog),
    "hog-child": Scripted(f"{_EAT} 2>/dev/null; exit 0", _hog_child),
    "environment": Scripted('printenv "$1"', _environment),
    "write": Scripted(f'printf %s "$1" > {SHARED}/file', _write),
}


class Beside(NamedTuple):
    """A program that is started beside another, written down twice."""

    shell: str
    fake: Callable[[FakeInside], int]


def _echo(inside: FakeInside) -> int:
    while data := inside.read():
        inside.print(data)
    return 0


def _beside_both(inside: FakeInside) -> int:
    inside.print(b"to the first\n")
    inside.print(b"to the second\n", 2)
    return 7


def _beside_binary(inside: FakeInside) -> int:
    inside.print(EVERY_BYTE)
    return 0


def _beside_environment(inside: FakeInside) -> int:
    inside.print("".join(f"{inside.environment.get(name)}\n" for name in inside.argv[1:]).encode())
    return 0


BESIDE: dict[str, Beside] = {
    "beside-echo": Beside("exec cat", _echo),
    "beside-both": Beside("echo to the first; echo to the second >&2; exit 7", _beside_both),
    "beside-binary": Beside(PROGRAMS["binary"].shell, _beside_binary),
    "beside-environment": Beside('printenv "$@"', _beside_environment),
}


def write_scripts(folder: Path) -> None:
    """The shell forms as executable files."""
    shells = {name: program.shell for name, program in PROGRAMS.items()}
    shells |= {name: program.shell for name, program in BESIDE.items()}
    for name, shell in shells.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{shell}\n")
        path.chmod(0o755)


def fake_programs() -> dict[str, Callable[[FakeBox], int]]:
    """The Python forms, by the words that start them."""
    return {f"{FOLDER}/{name}": program.fake for name, program in PROGRAMS.items()}


def fake_beside() -> dict[str, Callable[[FakeInside], int]]:
    """What is started beside others, likewise."""
    return {f"{FOLDER}/{name}": program.fake for name, program in BESIDE.items()}
