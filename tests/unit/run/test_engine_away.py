"""An engine that goes away while an agent works: its end is told as it was, nothing that it printed or did is lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.clock import SystemClock
from runner.errors import ContainerGoneError, EngineError, EngineUnavailableError
from runner.model.result import Outcome
from runner.run import patience
from runner.run.cancellation import Cancellation
from runner.run.execute import run_task
from runner.run.patience import Patience
from runner.run.supervise import AWAY, FROM_OUTSIDE, unheard
from runner.sandbox.control import Handshake
from runner.sandbox.engine import Exit, Found, Output
from runner.sandbox.fake import FakeBox, FakeEngine
from tests.unit.run.fake_host import FakeHost
from tests.unit.run.test_execute import commits
from tests.unit.run.test_supervise import Bench, says

NOBODY = EngineUnavailableError("No Docker engine answers.")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def away(monkeypatch: pytest.MonkeyPatch, answers: Callable[[FakeBox], bool]) -> None:
    """An engine that does not say how a container is as long as `answers` says no."""
    real = FakeBox.wait

    def wait(box: FakeBox, deadline: float) -> Exit | None:
        if not answers(box):
            raise NOBODY
        return real(box, deadline)

    monkeypatch.setattr(FakeBox, "wait", wait)


def after(looks: int) -> Callable[[FakeBox], bool]:
    """It answers at last."""
    left = iter(range(looks))
    return lambda _: next(left, None) is None


# --- how it ended -------------------------------------------------------------------------------------------------


def test_an_agent_that_ends_badly_while_the_engine_is_away_was_ended_by_that(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(monkeypatch, after(3))
    done = bench.run(says(b"", 143))
    assert (done.stopped, done.failure) == (None, f"{AWAY} (exit code 143)")


def test_an_agent_that_ends_well_while_the_engine_is_away_has_ended_well(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(monkeypatch, after(3))
    done = bench.run(says(b"done\n"))
    assert (done.exit, done.failure) == (Exit(code=0), "")
    assert bench.log_path.read_bytes() == b"done\n"


def test_an_agent_that_somebody_else_has_killed_did_not_fail(bench: Bench) -> None:
    def killed(box: FakeBox) -> int:
        box.signal("SIGKILL")
        box.sleep(20)
        return 0

    done = bench.run(killed)
    assert (done.stopped, done.failure) == (None, f"{FROM_OUTSIDE} (exit code 137)")


def test_an_agent_that_ends_itself_with_the_code_of_a_kill_failed(bench: Bench) -> None:
    done = bench.run(says(b"", 137))
    assert (done.exit, done.failure) == (Exit(code=137), "")


def test_what_paddock_itself_ended_was_not_ended_from_outside(bench: Bench) -> None:
    bench.cancellation.request()
    done = bench.run(lambda box: box.sleep(20) or 0)  # type: ignore[func-returns-value]
    assert (done.stopped, done.failure) == (Outcome.CANCELLED, "")


def test_an_engine_that_stays_away_is_waited_for_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "ENGINE_SECONDS", 0.5)
    away(monkeypatch, lambda _: False)
    began = time.monotonic()
    assert bench.run(says(b"")).exit is None
    assert time.monotonic() - began < 5


# --- what it printed meanwhile ------------------------------------------------------------------------------------


def test_an_agent_that_outlives_its_engine_is_heard_again_and_nothing_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    away(monkeypatch, after(3))

    def works_on(box: FakeBox) -> int:
        box.write(b"one\n")
        box.write(b"error\n", 2)
        while not (bench.log_path.exists() and b"error" in bench.log_path.read_bytes()):
            time.sleep(0.01)
        box.hang_up()  # the connection goes with the engine
        box._kept._over = False  # which had kept all, and goes on to keep it
        box.write(b"two\n")
        time.sleep(2.0)
        box.write(b"three\n")
        return 3

    done = bench.run(works_on)
    assert (done.exit, done.failure) == (Exit(code=3), "")
    assert bench.log_path.read_bytes() == b"one\nerror\ntwo\nthree\n"


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=5)), max_size=12), st.integers(0, 30), st.data())
def test_what_was_heard_is_left_out_of_each_stream_however_the_pieces_are_cut(
    pieces: list[tuple[int, bytes]], known: int, data: st.DataObject
) -> None:
    whole = {stream: b"".join(text for each, text in pieces if each == stream) for stream in (1, 2)}
    heard = Counter({1: data.draw(st.integers(0, len(whole[1]))), 2: min(known, len(whole[2]))})
    rest = list(unheard((Output(*piece) for piece in pieces), heard.copy()))
    for stream in (1, 2):
        assert b"".join(piece.data for piece in rest if piece.stream == stream) == whole[stream][heard[stream] :]
    assert all(piece.data for piece in rest)


# --- and its work -------------------------------------------------------------------------------------------------


def test_work_is_collected_by_another_collector_when_the_waiting_one_was_ended(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = Handshake.go, iter(range(2))

    def go(handshake: Handshake) -> None:
        if next(calls, 0) == 1:  # the sandbox was the first to be told
            raise EngineError("nobody waits")
        real(handshake)

    monkeypatch.setattr(Handshake, "go", go)
    result = run_task(fake.task(commits), fake.host())
    assert (result.outcome, next(calls, None)) == (Outcome.COMPLETED, None)
    assert fake.engine.boxes == {}


def test_an_engine_that_is_away_when_the_work_is_to_be_collected_is_waited_for(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "ASK_EVERY", 0.01)
    real, asked = FakeEngine.find, iter(range(5))

    def find(engine: FakeEngine, *, run: str = "", state: str = "") -> list[Found]:
        if run and next(asked, None) is not None:
            raise NOBODY
        return real(engine, run=run, state=state)

    monkeypatch.setattr(FakeEngine, "find", find)
    result = run_task(fake.task(commits), fake.host())
    assert (result.outcome, result.leaks) == (Outcome.COMPLETED, ())
    assert fake.engine.boxes == {}


# --- patience -----------------------------------------------------------------------------------------------------


class Away:
    """An engine that answers after so many questions."""

    def __init__(self, looks: int, error: EngineError = NOBODY) -> None:
        self.left: Iterator[int] = iter(range(looks))
        self.error = error

    def find(self, *, run: str) -> list[Found]:
        """See `Engine.find`."""
        assert run == "a-run"
        if next(self.left, None) is not None:
            raise self.error
        return []


def patient(engine: Away, cancellation: Cancellation | None = None) -> Patience:
    return Patience(engine, SystemClock(), cancellation or Cancellation())  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "ASK_EVERY", 0.01)


def test_patience_ends_and_does_not_begin_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "ENGINE_SECONDS", 0.2)
    waiting = patient(Away(1000))
    assert not waiting.await_engine("a-run")
    began = time.monotonic()
    assert not waiting.await_engine("a-run")
    assert time.monotonic() - began < 0.15


def test_patience_is_rewarded() -> None:
    assert patient(Away(3)).await_engine("a-run")


def test_somebody_who_is_in_a_hurry_does_not_wait() -> None:
    cancellation = Cancellation()
    cancellation.request()
    assert patient(Away(1), cancellation).await_engine("a-run")
    cancellation.request()
    assert not patient(Away(0), cancellation).await_engine("a-run")


def test_an_engine_that_answers_badly_is_not_away() -> None:
    with pytest.raises(ContainerGoneError):
        patient(Away(1, ContainerGoneError("no"))).await_engine("a-run")
