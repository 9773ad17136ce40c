"""Containers that are made to stand still, and what can be seen of their processes from outside."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import pytest

from runner.errors import EngineError
from runner.sandbox.engine import Exit
from runner.sandbox.fake import FakeEngine
from tests.contract.conftest import Bench
from tests.contract.test_engine import ended, started


def test_a_polite_signal_reaches_what_stands_still_when_it_goes_on_at_the_latest(bench: Bench) -> None:
    box = bench.create("farewell")
    started(box)
    box.pause()
    box.signal("SIGTERM")
    with suppress(EngineError):  # some engines let it go on for the signal's sake
        box.unpause()

    assert ended(box) == Exit(code=3, signalled=True)


def test_a_container_stands_still_and_goes_on(bench: Bench) -> None:
    box = bench.create("sleep")
    started(box)
    box.pause()
    with pytest.raises(EngineError):
        box.pause()
    assert box.wait(0.1) is None
    box.unpause()
    with pytest.raises(EngineError):
        box.unpause()
    assert box.wait(0.1) is None


def test_what_stands_still_can_be_killed(bench: Bench) -> None:
    box = bench.create("stubborn")
    started(box)
    box.pause()
    box.signal("SIGKILL")

    assert ended(box) == Exit(code=137, signalled=True)


def test_what_stands_still_can_be_removed(bench: Bench) -> None:
    box = bench.create("stubborn")
    started(box)
    box.pause()
    box.close()

    assert bench.engine.find(run=bench.run) == []


def test_what_does_not_run_cannot_stand_still(bench: Bench) -> None:
    box = bench.create("end", "0")
    with pytest.raises(EngineError):
        box.pause()
    box.start()
    ended(box)
    with pytest.raises(EngineError):
        box.unpause()


def test_processes_have_numbers_of_this_machine_the_first_one_first(bench: Bench) -> None:
    box = bench.create("sleep")
    assert box.processes() == []
    started(box)
    if isinstance(bench.engine, FakeEngine):
        assert box.processes() == []
        return
    first, *_ = found = box.processes()
    assert first != os.getpid()
    assert all(Path(f"/proc/{each}").exists() for each in found)
    end = time.monotonic() + 5
    while b"sleep" not in (line := Path(f"/proc/{found[-1]}/cmdline").read_bytes()) and time.monotonic() < end:
        time.sleep(0.01)  # it is the engine's own program still, or no program for a moment
    assert b"sleep" in line
    box.signal("SIGKILL")
    ended(box)
    end = time.monotonic() + 5
    while box.processes() and time.monotonic() < end:
        time.sleep(0.05)
    assert box.processes() == []
