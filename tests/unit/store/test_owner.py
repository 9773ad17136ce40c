"""A run's owner is a process, not a number."""

from __future__ import annotations

import os
import subprocess
import time

from runner.store.ledger import RunRow
from runner.store.owner import owner_alive, process_started, this_process


def row(pid: int, started: int) -> RunRow:
    return RunRow("id", "/r", "command", "offline", "2026", pid, started)


def test_we_are_alive() -> None:
    assert owner_alive(row(*this_process()))


def test_a_process_with_the_same_number_that_began_at_another_time_is_not_the_owner() -> None:
    pid, started = this_process()
    assert not owner_alive(row(pid, started - 1))


def test_a_process_that_ended_is_not_alive_even_before_it_is_reaped() -> None:
    child = subprocess.Popen(["true"])
    try:
        until = time.monotonic() + 5
        while process_started(child.pid) is not None and time.monotonic() < until:
            time.sleep(0.005)
        assert process_started(child.pid) is None
    finally:
        child.wait()
    assert not owner_alive(row(child.pid, 1))


def test_no_number_is_nobody() -> None:
    assert not owner_alive(row(0, 0))
    assert not owner_alive(row(-1, 0))
    assert not owner_alive(row(2**31 - 1, 0))


def test_a_program_name_with_parentheses_and_spaces_is_read_correctly() -> None:
    copy = f"/proc/{os.getpid()}/comm"
    with open(copy, encoding="utf-8") as file:  # noqa: PTH123
        before = file.read().strip()
    expected = process_started(os.getpid())
    try:
        with open(copy, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(") Z 1 (x")
        assert process_started(os.getpid()) == expected
    finally:
        with open(copy, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(before)
