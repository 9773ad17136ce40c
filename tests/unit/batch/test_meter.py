"""How busy the machine is: the kernel's own numbers, seldom enough, and no batch fails for want of them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from runner.batch.meter import DOUBLED, EVERY, Meter, metered
from runner.clock import SystemClock
from runner.model.batch_report import UsagePoint

MEMORY = "MemTotal:        1000 kB\nMemFree:         100 kB\nMemAvailable:    300 kB\nSwapTotal: 0 kB\n"


def kernel(proc: Path, *, busy: int, idle: int) -> Path:
    """Counters of a machine with two CPUs; guests' time, at the end, is in the first number already."""
    proc.mkdir(exist_ok=True)
    ticks = f"{busy} 0 0 {idle} 0 0 0 0 7777 0"
    (proc / "stat").write_text(f"cpu  {ticks}\ncpu0 {ticks}\ncpu1 {ticks}\nintr 1\n", encoding="ascii")
    (proc / "meminfo").write_text(MEMORY, encoding="ascii")
    return proc


def points(path: Path) -> list[UsagePoint]:
    return [UsagePoint.model_validate_json(line) for line in path.read_bytes().splitlines()]


def test_a_point_is_what_was_busy_since_the_point_before(tmp_path: Path) -> None:
    path = tmp_path / "batches" / "b" / "usage.jsonl"
    meter = Meter(path, SystemClock(), kernel(tmp_path / "proc", busy=1000, idle=5000))
    kernel(tmp_path / "proc", busy=1300, idle=5100)
    meter.write()
    kernel(tmp_path / "proc", busy=1300, idle=5500)
    meter.write()
    meter.write()  # no tick has passed: there is nothing to tell
    assert [(point.busy, point.cpus) for point in points(path)] == [(1.5, 2), (0.0, 2)]
    assert {(point.used, point.memory) for point in points(path)} == {(700 * 1024, 1000 * 1024)}


def test_points_come_half_as_often_after_so_many_also_for_who_goes_on_with_a_batch(tmp_path: Path) -> None:
    path, proc = tmp_path / "usage.jsonl", kernel(tmp_path / "proc", busy=0, idle=0)
    assert Meter(path, SystemClock(), proc).pause == EVERY
    path.write_bytes(b"{}\n" * (2 * DOUBLED + 1))
    assert Meter(path, SystemClock(), proc).pause == 4 * EVERY


def test_a_machine_without_these_counters_and_a_disk_that_is_full_stop_nothing(tmp_path: Path) -> None:
    with metered(Meter(tmp_path / "usage.jsonl", SystemClock(), tmp_path / "nothing")):
        pass
    assert not (tmp_path / "usage.jsonl").exists()
    (tmp_path / "file").write_text("")
    meter = Meter(tmp_path / "file" / "usage.jsonl", SystemClock(), kernel(tmp_path / "proc", busy=0, idle=0))
    kernel(tmp_path / "proc", busy=1, idle=1)
    meter.write()


def test_the_thread_ends_with_the_batch_even_with_an_error_and_leaves_a_last_point(tmp_path: Path) -> None:
    before = threading.active_count()

    def fail() -> None:
        with metered(Meter(tmp_path / "usage.jsonl", SystemClock())):
            assert threading.active_count() == before + 1
            threading.Event().wait(0.1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert threading.active_count() == before
    assert len(points(tmp_path / "usage.jsonl")) == 1
