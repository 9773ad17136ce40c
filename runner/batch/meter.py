"""Writes down now and then how busy this machine is, while a batch is carried out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from runner.clock import Clock, timestamp
from runner.errors import StoreError
from runner.model.batch_report import UsagePoint
from runner.store.files import append_line

EVERY = 2.0
"""Seconds between two points, at first."""
DOUBLED = 500
"""After so many points they come half as often: a batch of a week leaves some thousand, less than a megabyte."""
_MEMORY = ("MemTotal:", "MemAvailable:")


def usage_file(state: Path, batch: str) -> Path:
    """How busy the machine was, one JSON object a line."""
    return state / "batches" / batch / "usage.jsonl"


@dataclass
class Meter:
    """Reads the kernel's own counters. Where there are none, nothing is written."""

    path: Path
    clock: Clock
    proc: Path = Path("/proc")
    written: int = field(init=False)
    _before: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        try:
            self.written = self.path.read_bytes().count(b"\n")
        except OSError:
            self.written = 0
        self._before = self._ticks()

    @property
    def pause(self) -> float:
        """Seconds until the next point."""
        return EVERY * 2.0 ** (self.written // DOUBLED)

    def write(self) -> None:
        """One more point. A disk that is full stops no batch."""
        busy, total, cpus = self._ticks()
        spent, passed = busy - self._before[0], total - self._before[1]
        memory = self._memory()
        if passed <= 0 or not memory:
            return
        self._before = busy, total, cpus
        at_work = round(max(0, spent) / passed * cpus, 3)
        now = timestamp(self.clock.now())
        point = UsagePoint(at=now, busy=at_work, cpus=cpus, used=memory[0] - memory[1], memory=memory[0])
        with suppress(StoreError, OSError):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            append_line(self.path, point.model_dump_json())
            self.written += 1

    def _ticks(self) -> tuple[int, int, int]:
        """Busy and all ticks of all CPUs, and how many CPUs there are."""
        try:
            lines = (self.proc / "stat").read_text(encoding="ascii").splitlines()
        except OSError:
            return 0, 0, 0
        ticks = [int(each) for each in lines[0].split()[1:9]]
        cpus = sum(line.startswith("cpu") for line in lines) - 1
        idle = ticks[3] + ticks[4]  # idle, and idle while a disk is waited for
        return sum(ticks) - idle, sum(ticks), cpus

    def _memory(self) -> tuple[int, ...]:
        """Bytes that there are, and that are available."""
        try:
            lines = (self.proc / "meminfo").read_text(encoding="ascii").splitlines()
        except OSError:
            return ()
        found = {words[0]: int(words[1]) * 1024 for line in lines if (words := line.split())[0] in _MEMORY}
        return tuple(found[name] for name in _MEMORY)


@contextmanager
def metered(meter: Meter) -> Iterator[None]:
    """Points as long as this lasts, and one at its end; in a thread of its own, which asks no engine."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(meter.pause):
            meter.write()

    thread = threading.Thread(target=tick, name="batch-meter", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        meter.write()
