"""The library: a run is a scope, its events are an iterator, and it costs nothing to import."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import runner
import runner.library.runs
from runner import Outcome, Policy, RunResult, Task, run
from runner.errors import RefusedError, UsageError
from runner.model.events import Ended, PhaseStarted
from runner.model.policy import Limits
from runner.model.settings import Settings
from runner.run.host import Host
from runner.sandbox.fake import FakeBox
from runner.store.policy_files import load_policy
from tests.unit.run.fake_host import FakeHost

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    """The engine is the fake one, and settings are the test's."""
    fake = FakeHost(tmp_path)
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(fake.state))

    def this_host(settings: Settings, **callbacks: Any) -> Host:
        return replace(fake.host(), settings=settings, **callbacks)

    monkeypatch.setattr("runner.library.host.this_host", this_host)
    yield fake
    assert not [each.name for each in threading.enumerate() if each.name.startswith("paddock-run")]


def divide(number: int) -> float:
    return number / 0


def speaks(box: FakeBox) -> int:
    box.write(b"said\n")
    return 0


def until_stopped(box: FakeBox) -> int:
    box.write(b"waiting\n")
    box.sleep(30)
    return 1


def test_the_documented_example_reads_as_it_is_meant(fake: FakeHost) -> None:
    pieces: list[bytes] = []

    with run(fake.task(speaks), output=lambda _, data: pieces.append(data)) as running:
        kinds = [event.kind for event in running]

    assert isinstance(running.result, RunResult)
    assert running.result.outcome is Outcome.NO_CHANGES
    assert running.id == running.result.id
    assert kinds[0] == "phase-started"
    assert kinds[-1] == "ended"
    assert b"".join(pieces) == b"said\n"
    assert list(running) == [], "they were all taken, and whoever asks again does not wait"


def test_a_run_that_is_only_waited_for_needs_no_scope(fake: FakeHost) -> None:
    assert run(fake.task(speaks)).wait().outcome is Outcome.NO_CHANGES


def test_events_come_while_the_run_goes_on(fake: FakeHost) -> None:
    began, go = threading.Event(), threading.Event()

    def waits(_: FakeBox) -> int:
        began.set()
        return 0 if go.wait(30) else 1

    with run(fake.task(waits)) as running:
        events = iter(running)
        assert isinstance(next(events), PhaseStarted)
        assert began.wait(30)
        go.set()
        assert isinstance(list(events)[-1], Ended)
    assert running.result.agent_exit_code == 0


@pytest.mark.parametrize("now", [False, True])
def test_a_cancelled_run_is_collected_and_says_so(fake: FakeHost, now: bool) -> None:
    with run(fake.task(until_stopped)) as running:
        for event in running:
            if event.kind == "phase-started" and event.phase == "agent":
                running.cancel(now=now)

    assert running.result.outcome is Outcome.CANCELLED


def test_an_exception_in_the_scope_cancels_the_run_and_is_not_lost(fake: FakeHost) -> None:
    running = run(fake.task(until_stopped))
    with pytest.raises(ZeroDivisionError), running:
        divide(1 if next(iter(running)) else 2)

    assert running.result.outcome is Outcome.CANCELLED


def test_what_is_refused_is_raised_at_the_end_of_the_scope_and_by_the_result(fake: FakeHost) -> None:
    running = run(fake.task(speaks, policy="nowhere.toml"))
    with pytest.raises(RefusedError), running:
        assert list(running) == []
    with pytest.raises(RefusedError):
        _ = running.result
    assert not (fake.state / "runs").exists()


def test_a_policy_of_ones_own_is_held_and_can_be_found_again(fake: FakeHost) -> None:
    policy = Policy(description="mine", limits=Limits(pids=77))

    result = run(fake.task(speaks), policy=policy).wait()

    assert result.limits["pids"].granted == 77
    (file,) = (fake.state / "policies").iterdir()
    assert load_policy(str(file), home=fake.home).policy == policy
    assert result.policy_files[0].file == str(file)


def test_a_run_begins_once(fake: FakeHost) -> None:
    running = run(fake.task(speaks))
    with pytest.raises(UsageError, match="not begun"):
        _ = running.result
    running.wait()
    with pytest.raises(UsageError, match="already"):
        running.wait()


def test_the_name_is_a_function_whatever_was_imported_before(fake: FakeHost) -> None:
    package: Callable[..., Any] = sys.modules["runner.run"]  # type: ignore[assignment] # it can be called
    assert package(fake.task(speaks)).wait().outcome is Outcome.NO_CHANGES
    assert runner.library.runs.run(fake.task(speaks)).wait().outcome is Outcome.NO_CHANGES


def test_all_that_is_lent_exists_and_has_a_word_of_its_own() -> None:
    for name in runner._LENT:
        lent = getattr(runner, name)
        assert inspect.getdoc(lent), name
        assert name in dir(runner)
    with pytest.raises(AttributeError):
        _ = runner.nothing_of_that_name


def test_the_package_alone_loads_nothing() -> None:
    code = "import sys, runner; print([name for name in sys.modules if name.startswith(('runner.', 'pydantic'))])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_what_is_imported_first_makes_no_difference() -> None:
    code = (
        "import runner.run.execute, runner.batch.carry\n"
        "from runner import Policy, Task, batch, run\n"
        "import runner\n"
        "assert run(Task(repo='.')).id == '' and runner.run is run\n"
        "assert batch([Task(repo='.')]).id == '' and runner.batch is batch\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_tasks_fields_are_typed() -> None:
    with pytest.raises(ValueError, match="nothing_of_that_name"):
        Task.model_validate({"repo": ".", "nothing_of_that_name": 1})
