"""Files without a name are found by whoever keeps them open or mapped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.store.unlinked import measure_unlinked
from tests.unit.identities import as_user, shared_directory

MIB = 2**20

HOLDER = """
import mmap, os, sys
how, path = sys.argv[1:]
handle = os.open(path, os.O_CREAT | os.O_RDWR)
os.write(handle, bytes(3 << 20))
if how == "mapped":
    kept = mmap.mmap(handle, 3 << 20)
    os.close(handle)
if how == "both":
    kept = mmap.mmap(handle, 1 << 20), os.dup(handle)
if how != "named":
    os.unlink(path)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def holding(how: str, path: Path) -> Iterator[int]:
    """The id of a process that keeps 3 MiB."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, how, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.communicate()


def found(processes: list[int], place: Path, enough: int = 2**40) -> tuple[int, int]:
    size = measure_unlinked(processes, frozenset({place.stat().st_dev}), enough_bytes=enough)
    return size.bytes // MIB, size.entries


@pytest.mark.parametrize(("how", "expected"), [("open", (3, 1)), ("mapped", (3, 1)), ("named", (0, 0))])
def test_what_has_no_name_counts_and_nothing_else(tmp_path: Path, how: str, expected: tuple[int, int]) -> None:
    with holding(how, tmp_path / "file") as process:
        assert found([process], tmp_path) == expected


def test_a_file_that_is_kept_in_many_ways_counts_once(tmp_path: Path) -> None:
    with holding("both", tmp_path / "file") as process:
        assert found([process, process], tmp_path) == (3, 1)


def test_what_lies_on_another_file_system_does_not_count(tmp_path: Path) -> None:
    with holding("open", tmp_path / "file") as process:
        size = measure_unlinked([process], frozenset({tmp_path.stat().st_dev + 1000}), enough_bytes=2**40)
    assert (size.bytes, size.entries) == (0, 0)


def test_it_ends_when_there_is_more_than_enough(tmp_path: Path) -> None:
    with holding("open", tmp_path / "one") as one, holding("open", tmp_path / "two") as two:
        assert found([one, two], tmp_path) == (6, 2)
        assert found([one, two], tmp_path, enough=MIB) == (3, 1)


def test_a_process_that_has_ended_is_no_error(tmp_path: Path) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert found([gone.pid], tmp_path) == (0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_process_of_another_user_is_told_as_unread() -> None:
    with shared_directory() as place, holding("open", place / "file") as process:
        device = place.stat().st_dev
        size = as_user(1000, lambda: measure_unlinked([process], frozenset({device}), enough_bytes=2**40))
    assert (size.bytes, size.unread) == (0, 1)


def test_whoever_waits_is_called_meanwhile(tmp_path: Path) -> None:
    calls: list[int] = []
    devices = frozenset({tmp_path.stat().st_dev})
    measure_unlinked([os.getpid()], devices, enough_bytes=1, meanwhile=lambda: calls.append(1))
    assert calls
