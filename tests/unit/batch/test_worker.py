"""One try of a task: what it begins with, whose fault a failure is, and what a dead process left of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from runner.batch.live import Live
from runner.batch.settled import Settled
from runner.batch.worker import Start, carry_out, is_overloaded, not_started, told_as_bug
from runner.errors import EngineUnavailableError, PaddockError, RefusedError, StoreError
from runner.model.batch import Work
from runner.model.result import Outcome
from runner.model.task import Task
from runner.run.execute import run_task
from runner.run.host import Host
from runner.sandbox.fake import FakeBox
from runner.store.ledger import Ledger
from runner.store.runs import RunPaths, run_paths
from tests.unit.batch.test_carry import commits
from tests.unit.run.fake_host import FakeHost, git


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def settled(fake: FakeHost, task: Task, host: Host | None = None, **details: object) -> Settled:
    """How one try goes."""
    start = Start(key="b/1/1/1", work=Work(task=task).model_dump_json(), **details)  # type: ignore[arg-type]
    live = Live("one", task.repo, task.agent, 0.0, lambda _: None)
    return carry_out(start, host or fake.host(), live, fake.home)


def test_a_try_is_kept_with_what_came_out(fake: FakeHost) -> None:
    kept = settled(fake, fake.task(commits))
    assert (kept.outcome, kept.ok, kept.commits, kept.lines) == ("completed", True, 1, 1)
    assert kept.branch == f"paddock/{kept.run}"
    with Ledger(fake.host().ledger) as ledger:
        assert [row.id for row in ledger.of_batch("b/1/1/1")] == [kept.run]


def test_what_an_agent_prints_is_in_its_log_and_not_shown(fake: FakeHost) -> None:
    def prints(box: FakeBox) -> int:
        box.write(b"noise")
        return 0

    kept = settled(fake, fake.task(prints))
    assert bytes(fake.output) == b""
    assert run_paths(fake.state, kept.run).agent_log.read_bytes() == b"noise"


def test_what_is_refused_is_never_tried_again_and_an_engine_that_is_away_is(fake: FakeHost) -> None:
    assert settled(fake, fake.task(policy="nowhere")).fault == "never"
    away = RefusedError("no engine answers")
    away.__cause__ = EngineUnavailableError("gone")
    cases: list[tuple[PaddockError, str, str]] = [
        (RefusedError("no"), "refused", "never"),
        (away, "engine-failed", "engine"),
        (StoreError("the disk is full"), "engine-failed", "engine"),
    ]
    assert [(not_started(error).outcome, not_started(error).fault) for error, _, _ in cases] == [
        (outcome, fault) for _, outcome, fault in cases
    ]


def test_a_bug_is_told_as_one_without_a_control_code(fake: FakeHost) -> None:
    told = told_as_bug(ZeroDivisionError("\x1b[2J"), Live("one", "/r", "command", 0.0, lambda _: None))
    assert (told.outcome, told.fault, told.reason.isprintable()) == ("engine-failed", "never", True)


@pytest.mark.parametrize(
    ("output", "overloaded"),
    [
        (b'{"type":"overloaded_error"}', True),
        (b"HTTP 529", True),
        (b"Error: 429 Too Many Requests", True),
        (b"rate limit reached", True),
        (b"RESOURCE_EXHAUSTED", True),
        (b"tests failed: 4290 of 14299", False),
        (b"rate limit reached" + b"." * 20_000, False),
    ],
)
def test_a_provider_without_room_is_told_from_the_end_of_the_output(
    fake: FakeHost, output: bytes, overloaded: bool
) -> None:
    def prints(box: FakeBox) -> int:
        box.write(output)
        return 1

    result = run_task(fake.task(prints), fake.host())
    assert is_overloaded(result, fake.host()) is overloaded
    assert settled(fake, fake.task(prints), provider="anthropic").fault == ("overload" if overloaded else "agent")
    assert settled(fake, fake.task(prints)).fault == "agent"


def test_the_policy_of_a_later_task_is_that_of_the_commit_at_which_the_first_began(fake: FakeHost) -> None:
    """An agent that writes a policy into its branch does not steer who goes on with it."""

    def steers(box: FakeBox) -> int:
        folder = box.path("/workspace") / ".paddock"
        folder.mkdir()
        (folder / "policy.toml").write_text('[limits]\nmemory = "100MiB"\n', encoding="utf-8")
        git(box.path("/workspace"), "add", ".paddock")
        git(box.path("/workspace"), "commit", "--quiet", "--message", "steer")
        return 0

    first = settled(fake, fake.task(steers))
    needed = settled(fake, fake.task(), base=first.branch, earlier={"plan": first.run})
    own = settled(fake, fake.task(base=first.branch))
    steered = ['"memory": "100MiB"' in run_paths(fake.state, each.run).policy.read_text() for each in (needed, own)]
    assert steered == [False, True], "a run of its own at that branch is under it: there is something to reach"


def orphan(fake: FakeHost, host: Host, task: Task, stage: str) -> str:
    """A run whose process died: `prepared` before its agent began, or `over` with its end unwritten in the ledger."""
    found: list[RunPaths] = []
    if stage == "over":
        run_task(task, replace(host, opened=found.append))
    else:
        broken = replace(host, opened=found.append, cancellation=fake.cancellation)
        fake.cancellation.request()
        run_task(task, broken)
        found[0].result.unlink()
    with Ledger(host.ledger) as ledger:
        ledger._change("UPDATE runs SET state = 'running', owner_pid = 4194304, owner_started = 1")
    return found[0].id


def test_a_run_that_was_over_is_read_and_not_made_again(fake: FakeHost) -> None:
    host = replace(fake.host(), cancellation=type(fake.cancellation)())
    task = fake.task(commits, batch="b/1/1/1")
    run = orphan(fake, host, task, "over")
    kept = settled(fake, task, host, begun=(run,))
    assert (kept.run, kept.outcome, kept.ok, kept.commits) == (run, "completed", True, 1)
    assert fake.branches() == ["main", f"paddock/{run}"]


def test_a_run_whose_agent_had_not_begun_is_no_answer(fake: FakeHost) -> None:
    host = replace(fake.host(), cancellation=type(fake.cancellation)())
    task = fake.task(commits, batch="b/1/1/1")
    run = orphan(fake, host, task, "prepared")
    kept = settled(fake, task, host, begun=(run,))
    assert (kept.run, kept.outcome, kept.fault) == (run, Outcome.CANCELLED.value, "unbegun")
    assert fake.branches() == ["main"]


def test_a_run_whose_agent_had_not_begun_is_no_answer_also_to_the_process_after_the_next(fake: FakeHost) -> None:
    """The one that took it up died, too, before the batch was told."""
    host = replace(fake.host(), cancellation=type(fake.cancellation)())
    task = fake.task(commits, batch="b/1/1/1")
    run = orphan(fake, host, task, "prepared")
    settled(fake, task, host, begun=(run,))
    with Ledger(host.ledger) as ledger:
        assert [(row.state, row.outcome) for row in ledger.of_batch("b/1/1/1")] == [("ended", "cancelled")]
    assert settled(fake, task, host, begun=(run,)).fault == "unbegun"


def test_a_run_that_somebody_stopped_is_not_taken_for_one_that_had_not_begun(fake: FakeHost) -> None:
    host = replace(fake.host(), cancellation=type(fake.cancellation)())
    host.cancellation.request()
    task = fake.task(commits, batch="b/1/1/1")
    run = run_task(task, host).id
    kept = settled(fake, task, host, begun=(run,))
    assert (kept.outcome, kept.fault) == (Outcome.CANCELLED.value, "never")
