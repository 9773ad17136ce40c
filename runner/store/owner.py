"""Tells whether the process that carries a run out is still there, and is still the same one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol


class Owned(Protocol):
    """Whatever notes its owner, like a row of the ledger."""

    @property
    def owner_pid(self) -> int:
        """The owner's process id."""

    @property
    def owner_started(self) -> int:
        """When the owner began, in clock ticks since the machine did."""


def process_started(pid: int) -> int | None:
    """When process `pid` began, in clock ticks since the machine did; None if there is no such process."""
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name in parentheses, which may contain anything, `)` included.
    state, *rest = line.rpartition(b")")[2].split()
    return None if state in {b"Z", b"X"} else int(rest[18])


def this_process() -> tuple[int, int]:
    """Our own process id and when we began: what a new row names as its owner."""
    pid = os.getpid()
    return pid, process_started(pid) or 0


def this_boot() -> str:
    """The kernel's name for this start of the machine: the monotonic clock counts from it, for every process."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def owner_alive(row: Owned) -> bool:
    """Whether the very process that began the run still runs: a later one with the same number does not count."""
    return row.owner_pid > 0 and process_started(row.owner_pid) == row.owner_started
