"""The library's batches: a scope, events as an iterator, a result, and what is left can be gone on with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner import BatchResult, Outcome, Policy, Task, batch, resume, run
from runner.cli.running import TaskOptions, run_loop
from runner.errors import RefusedError, UsageError
from runner.model.policy import Limits
from runner.model.result import RunResult
from runner.model.settings import Settings
from runner.run.host import Host
from runner.run.rounds import Loop
from runner.sandbox.fake import FakeBox
from tests.unit.batch.test_carry import commits
from tests.unit.report.results import result_with
from tests.unit.run.fake_host import FakeHost

FILE = """
[[tasks]]
name = "works"
repo = "sample"
command = ["commits"]
tags = ["night"]
[[tasks]]
name = "fails"
repo = "sample"
command = ["fails"]
[[tasks]]
name = "never"
repo = "sample"
command = ["commits"]
needs = ["fails"]
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHost]:
    """The engine is the fake one, and settings are the test's."""
    fake = FakeHost(tmp_path)
    fake.engine.programs |= {"commits": commits, "fails": lambda _: 3, "waits": waits}
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(fake.state))
    (tmp_path / "tasks.toml").write_text(FILE, encoding="utf-8")

    def this_host(settings: Settings, **callbacks: Any) -> Host:
        return replace(fake.host(), **{"settings": settings, "show": lambda *_: None, **callbacks})

    monkeypatch.setattr("runner.library.host.this_host", this_host)
    yield fake
    assert not [each.name for each in threading.enumerate() if each.name.startswith(("paddock-", "batch"))]


def waits(box: FakeBox) -> int:
    box.sleep(30)
    return 1


def states(result: BatchResult) -> dict[str, str]:
    return {task.name: task.state for task in result.tasks}


def test_the_documented_example_reads_as_it_is_meant(fake: FakeHost, tmp_path: Path) -> None:
    with batch(tmp_path / "tasks.toml", jobs=2) as running:
        kinds = [(event.kind, event.task) for event in running]

    result = running.result
    assert states(result) == {"works": "completed", "fails": "agent-failed", "never": "skipped"}
    assert (result.id, result.state, result.exit_code) == (running.id, "ended", 18)
    assert (result.succeeded, result.failed) == (1, 2)
    works, fails, never = result.tasks
    assert (works.commits, works.tags, works.branch in fake.branches()) == (1, ("night",), True)
    assert ("ended", "works") in kinds
    assert ("skipped", "never") in kinds
    assert list(running) == [], "they were all taken, and whoever asks again does not wait"
    told = running.run_result(fails)
    assert (told.outcome, told.agent_exit_code) == (Outcome.AGENT_FAILED, 3)
    with pytest.raises(RefusedError, match="never has no run: it needs fails"):
        running.run_result(never)


def test_what_failed_is_made_anew_and_what_is_done_stays_done(fake: FakeHost, tmp_path: Path) -> None:
    first = batch(tmp_path / "tasks.toml").wait()
    with pytest.raises(RefusedError, match="is done"):
        resume(first.id).wait()
    fake.engine.programs |= {"fails": commits, "commits": lambda _: 0}

    second = resume(first.id, retry=["f*", "never"]).wait()

    assert states(second) == {"works": "completed", "fails": "completed", "never": "no-changes"}
    assert (second.exit_code, second.tasks[0].run) == (0, first.tasks[0].run)


def test_tasks_need_no_file_and_paths_hold_wherever_it_is_gone_on_with(
    fake: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tasks = [Task(repo="sample", argv=("commits",)), Task(repo="sample", argv=("fails",))]
    result = batch(tasks).wait()
    assert [(task.name, task.state) for task in result.tasks] == [
        ("sample", "completed"),
        ("sample-2", "agent-failed"),
    ]
    fake.engine.programs["fails"] = commits
    assert batch(tasks[:1]).wait().exit_code == 0, "the same tasks once more are another batch"
    monkeypatch.chdir("/")
    assert resume(result.id, retry=True).wait().exit_code == 0


@pytest.mark.parametrize("how", ["stop", "exception"])
def test_a_batch_that_is_stopped_collects_and_is_gone_on_with(fake: FakeHost, tmp_path: Path, how: str) -> None:
    running = batch([Task(repo=str(fake.repository), argv=(each,)) for each in ("waits", "commits")], jobs=1)
    with suppress(ZeroDivisionError), running:
        for event in running:
            if event.kind == "run":
                running.stop(now=how == "stop")
                if how == "exception":
                    raise ZeroDivisionError

    result = running.result
    assert [task.state for task in result.tasks] == ["cancelled", "queued"]
    assert (result.state, result.why, result.exit_code) == ("stopped", "Stopped", 130)
    assert [task.state for task in resume(result.id).wait().tasks] == ["cancelled", "completed"]


def test_what_is_refused_is_raised_and_nothing_was_started(fake: FakeHost, tmp_path: Path) -> None:
    (tmp_path / "tasks.toml").write_text(FILE.replace("repo = ", "policy = 'nowhere'\nrepo = "), encoding="utf-8")
    running = batch(tmp_path / "tasks.toml")
    with pytest.raises(RefusedError, match="no policy is called"), running:
        assert list(running) == []
    assert not (fake.state / "runs").exists()
    for wrong in ({"jobs": 0}, {"max_cost": 0.0}, {"max_cost": float("nan")}):
        with pytest.raises(UsageError):
            batch(tmp_path / "tasks.toml", **wrong)
    with pytest.raises(UsageError, match="no task"):
        batch([]).wait()


# --- rounds

ENDED = result_with()


def test_a_run_goes_round_as_the_command_line_does(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Task, Loop]] = []

    def run_rounds(task: Task, loop: Loop, _: Host) -> RunResult:
        seen.append((task, loop))
        return ENDED

    monkeypatch.setattr("runner.run.rounds.run_rounds", run_rounds)
    asked = Task(repo=str(fake.repository), agent="claude", prompt="mend it")
    run(asked, until="make test", review="codex", max_rounds=4).wait()
    given = asked.model_copy(update={"check": "make test"})
    run_loop(given, TaskOptions(repo="", until="make test", review="codex", max_rounds=4), fake.host())
    assert seen[0] == seen[1] == (given, seen[0][1])
    assert (seen[0][1].max_rounds, seen[0][1].review) == (4, "codex")


@pytest.mark.parametrize(
    ("task", "rounds", "why"),
    [
        ({}, {"until": "true"}, "command cannot be told"),
        ({}, {"max_rounds": 2}, "number of rounds"),
        ({"agent": "claude", "prompt": "x", "argv": (), "check": "a"}, {"until": "b"}, "two checks"),
    ],
)
def test_rounds_that_mean_nothing_are_refused(
    fake: FakeHost, task: dict[str, Any], rounds: dict[str, Any], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        run(fake.task(lambda _: 0, **task), policy=Policy(limits=Limits(pids=99)), **rounds).wait()
