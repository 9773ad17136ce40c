"""The watchdog ends an agent at every limit that no kernel holds, politely first, and never waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.clock import SystemClock
from runner.model.events import Event, Stopping
from runner.model.policy import Limits
from runner.model.result import Outcome
from runner.run.agent_log import TRUNCATED, AgentLog
from runner.run.cancellation import Cancellation
from runner.run.supervise import Supervised, supervise
from runner.run.watchdog import Watched
from runner.sandbox.fake import FakeBox, FakeEngine
from runner.store.tree import TreeSize
from tests.unit.sandbox.specs import spec_for


class Bench:
    """One supervised fake container."""

    def __init__(self, folder: Path) -> None:
        self.log_path = folder / "agent.log"
        self.cancellation = Cancellation()
        self.events: list[Event] = []
        self.size = TreeSize(bytes=0, entries=0)
        self.box: FakeBox | None = None

    def run(self, program: Callable[[FakeBox], int], *, secrets: tuple[str, ...] = (), **limits: Any) -> Supervised:
        policy_limits = Limits.model_validate({"grace": "1s", "idle": "20s", "wall_clock": "20s", **limits})
        spec = spec_for(argv=("program",)).model_copy(update={"mounts": ()})
        self.box = box = FakeEngine({"program": program}).create(spec, {})
        with AgentLog(self.log_path, limit=policy_limits.output, secrets=secrets, show=lambda *_: None) as log:
            output = box.attach()
            box.start()
            watched = Watched(
                box=box,
                limits=policy_limits,
                log=log,
                clock=SystemClock(),
                cancellation=self.cancellation,
                measure=lambda _: self.measure(),
                folders=(self.log_path.parent,),
                tell=self.events.append,
            )
            return supervise(watched, output)

    def measure(self) -> TreeSize:
        return self.size

    @property
    def signals(self) -> list[str]:
        return [event.signal for event in self.events if isinstance(event, Stopping)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def says(data: bytes, code: int = 0) -> Callable[[FakeBox], int]:
    """A program that prints and ends."""

    def program(box: FakeBox) -> int:
        box.write(data)
        return code

    return program


def forever(box: FakeBox) -> int:
    while True:
        box.sleep(0.05)


def stubborn(box: FakeBox) -> int:
    box.ignored = {"SIGTERM"}
    return forever(box)


def test_an_agent_that_ends_by_itself_keeps_its_exit_code(bench: Bench) -> None:
    done = bench.run(says(b"hello", 7))
    assert (done.exit.code if done.exit else None, done.stopped) == (7, None)
    assert bench.log_path.read_bytes() == b"hello"


def test_the_wall_clock_ends_an_agent_with_sigterm(bench: Bench) -> None:
    done = bench.run(forever, wall_clock="1s")
    assert (done.stopped, bench.signals) == (Outcome.TIMED_OUT, ["SIGTERM"])
    assert done.exit is not None


def test_an_agent_that_ignores_sigterm_is_killed_after_the_grace(bench: Bench) -> None:
    done = bench.run(stubborn, wall_clock="1s", grace="1s")
    assert (done.stopped, bench.signals) == (Outcome.TIMED_OUT, ["SIGTERM", "SIGKILL"])
    assert done.exit is not None
    assert done.exit.code == 137
    assert 2.0 <= done.seconds < 4.0


def test_silence_ends_an_agent_and_output_keeps_it_alive(bench: Bench) -> None:
    def talks_then_falls_silent(box: FakeBox) -> int:
        for _ in range(4):
            box.write(b".")
            box.sleep(0.4)
        return forever(box)

    done = bench.run(talks_then_falls_silent, idle="1s")
    assert done.stopped is Outcome.IDLE
    assert done.seconds > 2.0
    assert done.peaks.silence >= 1.0


def test_a_flood_is_cut_at_the_limit_marked_and_killed_without_grace(bench: Bench) -> None:
    def flood(box: FakeBox) -> int:
        while True:
            box.write(b"x" * 65536)

    done = bench.run(flood, output="1MiB")
    assert (done.stopped, bench.signals) == (Outcome.OUTPUT_EXCEEDED, ["SIGKILL"])
    kept = bench.log_path.read_bytes()
    assert len(kept) == 2**20 + len(TRUNCATED)
    assert kept.endswith(TRUNCATED)


def test_an_agent_that_prints_too_much_and_ends_at_once_is_still_found_out(bench: Bench) -> None:
    done = bench.run(says(b"x" * 200), output="100B")
    assert done.stopped is Outcome.OUTPUT_EXCEEDED


@pytest.mark.parametrize("size", [TreeSize(bytes=2**21, entries=1), TreeSize(bytes=0, entries=11)])
def test_too_much_data_or_too_many_files_end_an_agent(bench: Bench, size: TreeSize) -> None:
    bench.size = size
    done = bench.run(forever, disk="1MiB", files=10)
    assert (done.stopped, bench.signals) == (Outcome.DISK_EXCEEDED, ["SIGKILL"])
    assert (done.peaks.disk, done.peaks.files) == (size.bytes, size.entries)


def test_the_first_request_to_cancel_is_polite(bench: Bench) -> None:
    threading.Timer(0.3, bench.cancellation.request).start()
    done = bench.run(forever)
    assert (done.stopped, bench.signals) == (Outcome.CANCELLED, ["SIGTERM"])


def test_the_second_request_to_cancel_ends_the_grace(bench: Bench) -> None:
    threading.Timer(0.3, bench.cancellation.request).start()
    threading.Timer(0.8, bench.cancellation.request).start()
    begin = time.monotonic()
    done = bench.run(stubborn, grace="30s")
    assert (done.stopped, bench.signals) == (Outcome.CANCELLED, ["SIGTERM", "SIGKILL"])
    assert time.monotonic() - begin < 5


def test_a_secret_is_masked_in_the_log_also_across_pieces(bench: Bench) -> None:
    def leaks(box: FakeBox) -> int:
        box.write(b"key=s3cr3t-")
        box.write(b"val", 2)
        box.write(b"value!")
        return 0

    bench.run(leaks, secrets=("s3cr3t-value",))
    assert b"s3cr3t-value" not in bench.log_path.read_bytes()
    assert b"key=" in bench.log_path.read_bytes()
    assert b"[secret]!" in bench.log_path.read_bytes()


def test_the_peaks_of_a_run_are_the_engines_numbers(bench: Bench) -> None:
    def takes_a_while(box: FakeBox) -> int:
        box.sleep(0.4)
        return 0

    peaks = bench.run(takes_a_while).peaks
    assert (peaks.memory, peaks.pids) == (2**30, 1)
