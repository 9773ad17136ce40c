"""The engine makes a run's sandbox while git makes its repository: nobody is in it before that is done, or ever."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runner.model.result import Outcome
from runner.model.spec import Role
from runner.repo.workspace import Workspace
from runner.run import surroundings
from runner.run.attempt import Attempt
from runner.run.execute import run_task
from runner.run.launch import Launch
from runner.sandbox.fake import FakeBox
from tests.unit.run.fake_host import FakeHost

REAL = surroundings.make_workspace


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each start of a sandbox, whether its repository was whole."""
    found: list[bool] = []
    real = FakeBox.start

    def start(box: FakeBox) -> bool:
        if box.spec.role is Role.SANDBOX:
            dot_git = box.path("/workspace") / ".git"
            found.append(all((dot_git / name).exists() for name in ("HEAD", "index", "packed-refs")))
        return real(box)

    monkeypatch.setattr(FakeBox, "start", start)
    return found


def sandboxes(fake: FakeHost) -> list[FakeBox]:
    return [box for box in list(fake.engine.boxes.values()) if box.spec.role is Role.SANDBOX]


def until_made(fake: FakeHost) -> FakeBox:
    """The sandbox, as soon as the engine has made it."""
    until = time.monotonic() + 10
    while not sandboxes(fake):
        assert time.monotonic() < until, "nobody makes the sandbox"
        time.sleep(0.01)
    return sandboxes(fake)[0]


def test_it_is_made_meanwhile_and_started_afterwards(
    fake: FakeHost, started: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def make_workspace(attempt: Attempt) -> Workspace:
        seen.append(list(until_made(fake).path("/workspace").iterdir()))
        time.sleep(0.1)
        assert started == []
        return REAL(attempt)

    monkeypatch.setattr(surroundings, "make_workspace", make_workspace)
    result = run_task(fake.task(), fake.host())
    assert (result.outcome, seen, started) == (Outcome.NO_CHANGES, [[]], [True])


def test_a_repository_that_is_too_large_has_a_sandbox_that_was_never_started(
    fake: FakeHost, started: list[bool], tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('description = "x"\nextends = "offline"\n[limits]\nfiles = 5\n', encoding="utf-8")
    result = run_task(fake.task(policy=str(policy)), fake.host())
    assert "too large before the agent begins" in result.reason
    assert (result.leaks, started, sandboxes(fake)) == ((), [], [])


def test_a_run_that_is_cancelled_while_git_is_at_work_starts_nothing(
    fake: FakeHost, started: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    def make_workspace(_: Attempt) -> Workspace:
        until_made(fake)
        fake.cancellation.request()
        raise KeyboardInterrupt

    monkeypatch.setattr(surroundings, "make_workspace", make_workspace)
    result = run_task(fake.task(), fake.host())
    assert (result.outcome, result.leaks, started, sandboxes(fake)) == (Outcome.CANCELLED, (), [], [])


def test_a_run_that_is_cancelled_between_the_two_does_not_wait_for_git(
    fake: FakeHost, started: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Launch.make

    def make(launch: Launch) -> None:
        real(launch)
        fake.cancellation.request()  # a signal, while nothing may be interrupted

    monkeypatch.setattr(Launch, "make", make)
    monkeypatch.setattr(surroundings, "make_workspace", lambda _: pytest.fail("git is at work for nothing"))
    result = run_task(fake.task(), fake.host())
    assert (result.outcome, result.leaks, started, sandboxes(fake)) == (Outcome.CANCELLED, (), [], [])


def test_one_that_somebody_else_has_started_meanwhile_is_none_of_ours(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `docker start $(docker ps -aq)` does it."""

    def make_workspace(attempt: Attempt) -> Workspace:
        FakeBox.start(until_made(fake))
        return REAL(attempt)

    monkeypatch.setattr(surroundings, "make_workspace", make_workspace)
    result = run_task(fake.task(), fake.host())
    assert (result.leaks, sandboxes(fake)) == ((), [])
    assert "Somebody else has started the sandbox" in result.reason


def test_one_that_is_taken_away_meanwhile_is_made_once_more(
    fake: FakeHost, started: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `docker container prune` does it."""

    def make_workspace(attempt: Attempt) -> Workspace:
        until_made(fake).close()
        return REAL(attempt)

    monkeypatch.setattr(surroundings, "make_workspace", make_workspace)
    result = run_task(fake.task(), fake.host())
    assert (result.outcome, started, sandboxes(fake)) == (Outcome.NO_CHANGES, [True], [])
