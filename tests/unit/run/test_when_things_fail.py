"""What of ours fails during a run never frees the agent of its limits, and never loses its work."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import EngineError, StoreError
from runner.model.result import Outcome
from runner.run import disk_watch, watchdog
from runner.run.agent_log import TRUNCATED, AgentLog
from runner.run.execute import run_task
from runner.sandbox.engine import Exit
from runner.sandbox.fake import FakeBox, FakeEngine
from runner.store.tree import TreeSize
from tests.unit.run.fake_host import FakeHost, collect_here
from tests.unit.run.test_execute import commits
from tests.unit.run.test_supervise import Bench, forever, says, stubborn


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def failing_measure() -> TreeSize:
    raise StoreError("the workspace cannot be read")


def test_a_workspace_that_cannot_be_measured_does_not_end_the_other_limits(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "measure", failing_measure)
    assert bench.run(forever, wall_clock="1s").stopped is Outcome.TIMED_OUT


def test_an_agent_whose_disk_limit_cannot_be_held_any_more_is_stopped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "measure", failing_measure)
    monkeypatch.setattr(disk_watch, "MOST_FAILED_LOOKS", 3)
    done = bench.run(forever)
    assert done.stopped is Outcome.ENGINE_FAILED
    assert "could not be measured" in done.failure


def test_a_listener_that_fails_does_not_keep_an_agent_alive(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(list):  # type: ignore[type-arg]
        def append(self, _event: object) -> None:
            raise StoreError("no space left on device")

    monkeypatch.setattr(bench, "events", Broken())
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    done = bench.run(stubborn, wall_clock="1s", grace="1s")
    assert done.exit is not None
    assert done.exit.code == 137


def test_a_kill_that_the_engine_lost_is_sent_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[str] = []
    real = FakeBox.signal

    def loses_the_first_kill(box: FakeBox, name: str) -> None:
        if name == "SIGKILL" and not lost:
            lost.append(name)
            raise EngineError("the engine did not answer")
        real(box, name)

    monkeypatch.setattr(FakeBox, "signal", loses_the_first_kill)
    done = bench.run(stubborn, wall_clock="1s", grace="1s")
    assert (done.stopped, lost) == (Outcome.TIMED_OUT, ["SIGKILL"])
    assert done.exit is not None


def test_an_engine_that_never_answers_again_does_not_hold_the_run_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_box: FakeBox, _name: str) -> None:
        raise EngineError("the engine did not answer")

    def lost(_box: FakeBox, _deadline: float) -> Exit | None:
        raise EngineError("the engine did not answer")

    monkeypatch.setattr(FakeBox, "signal", gone)
    monkeypatch.setattr(FakeBox, "wait", lost)
    monkeypatch.setattr(watchdog, "KILL_SECONDS", 0.5)
    monkeypatch.setattr("runner.run.supervise.KILL_SECONDS", 0.5)
    done = bench.run(stubborn, wall_clock="1s", grace="1s")
    assert (done.exit, done.stopped) == (None, Outcome.TIMED_OUT)


def test_a_nearly_full_disk_of_the_host_ends_an_agent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_watch, "LEAST_FREE", 2**62)
    done = bench.run(forever)
    assert (done.stopped, done.failure) == (Outcome.DISK_EXCEEDED, "the host's disk is nearly full")


def test_a_secret_whose_end_is_cut_off_by_the_limit_is_not_shown_in_part(bench: Bench) -> None:
    bench.run(says(b"token=supersecretvalue"), secrets=("supersecretvalue",), output="20B")
    assert bench.log_path.read_bytes() == b"token=" + TRUNCATED


def test_output_goes_on_being_taken_when_the_log_cannot_be_written(tmp_path: Path) -> None:
    shown = bytearray()
    with AgentLog(tmp_path / "log", limit=1000, secrets=(), show=lambda _, data: shown.extend(data)) as log:
        full = os.open("/dev/full", os.O_WRONLY)
        assert log._file is not None
        os.dup2(full, log._file.fileno())
        os.close(full)
        log.write(1, b"one")
        log.write(1, b"two")
        assert (bytes(shown), log.received) == (b"onetwo", 6)
        assert os.strerror(errno.ENOSPC) in log.failure


def test_a_terminal_that_has_gone_does_not_end_the_run(fake: FakeHost) -> None:
    def gone(_stream: int, _data: bytes) -> None:
        raise BrokenPipeError

    def prints_and_commits(box: FakeBox) -> int:
        box.write(b"hello\n")
        return commits(box)

    host = fake.host()
    object.__setattr__(host, "show", gone)
    result = run_task(fake.task(prints_and_commits), host)
    assert (result.outcome, result.branch) == (Outcome.COMPLETED, f"paddock/{result.id}")


def test_an_event_log_that_cannot_be_written_does_not_end_the_run(fake: FakeHost) -> None:
    def commits_and_breaks(box: FakeBox) -> int:
        events = box.path("/workspace").parent / "events.jsonl"
        events.unlink()
        events.mkdir()
        return commits(box)

    result = run_task(fake.task(commits_and_breaks), fake.host())
    assert (result.outcome, result.branch) == (Outcome.COMPLETED, f"paddock/{result.id}")
    assert fake.engine.boxes == {}


def test_a_file_that_cannot_be_made_is_a_failed_run_with_a_result_and_nothing_left(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("runner.run.surroundings.open_caches", no_space)
    result = run_task(fake.task(commits), fake.host())
    assert (result.outcome, result.exit_code) == (Outcome.ENGINE_FAILED, 40)
    assert os.strerror(errno.ENOSPC) in result.reason
    assert (fake.engine.boxes, (fake.state / "runs" / result.id / "result.json").exists()) == ({}, True)


def test_a_container_that_is_removed_at_the_second_try_is_no_failure(fake: FakeHost) -> None:
    refusals: Iterator[bool] = iter([True])

    class Reluctant(FakeBox):
        def close(self) -> None:
            if self.spec.argv == ("program",) and next(refusals, False):
                self.signal("SIGKILL")
                raise EngineError("device or resource busy")
            super().close()

    class ReluctantEngine(FakeEngine):
        def create(self, spec, secrets):  # type: ignore[no-untyped-def]
            box = Reluctant(self, f"reluctant{len(self.boxes)}", spec, secrets)
            self.boxes[box.id] = box
            return box

    fake.engine = ReluctantEngine({"collector": collect_here})
    result = run_task(fake.task(commits), fake.host())
    assert (result.outcome, result.leaks, fake.engine.boxes) == (Outcome.COMPLETED, (), {})
