"""Going round: what failed goes back to the agent, on its own branch and in its own conversation, within one budget."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from runner.errors import RefusedError, UsageError
from runner.model.result import Outcome, RunResult
from runner.model.task import Task
from runner.run import rounds
from runner.run.execute import run_task
from runner.run.host import Host
from runner.run.rounds import Loop, continuation, run_rounds, task_to_continue
from runner.sandbox.fake import FakeBox
from runner.store.runs import read_result, run_paths
from tests.unit.run.fake_host import git
from tests.unit.run.model_agent import SESSION, ModelHost, commit, ended, say, started


@pytest.fixture
def fake(tmp_path: Path) -> ModelHost:
    return ModelHost(tmp_path)


def loop(**details: Any) -> Loop:
    """Rounds, with the shipped templates alone."""
    return Loop(templates=Path("/nonexistent"), **details)


def working(fake: ModelHost) -> list[FakeBox]:
    """Let the agent commit one more file each time; its boxes as they come."""
    boxes: list[FakeBox] = []

    def agent(box: FakeBox) -> int:
        boxes.append(box)
        prompt = box.path("/paddock/task/prompt.md").read_text()
        kept = box.path("/paddock/agent") / "conversation"
        kept.write_text((kept.read_text() if kept.exists() else "") + prompt + "\n")
        commit(box, f"file-{len(boxes)}")
        say(box, started(), ended(f"round {len(boxes)}"))
        return 0

    fake.agent = agent
    return boxes


def failing(fake: ModelHost, times: int) -> None:
    """Let the check fail so often."""
    count = itertools.count()

    def check(box: FakeBox) -> int:
        box.write(b"expected 2, got 3\n")
        return int(next(count) < times)

    fake.check = check


def test_a_failed_check_goes_back_until_it_succeeds(fake: ModelHost) -> None:
    boxes = working(fake)
    failing(fake, 2)
    result = run_rounds(fake.ask("add files", check="make test"), loop(max_rounds=5), fake.host())
    assert result.outcome is Outcome.COMPLETED
    assert [each.why for each in result.rounds] == ["task", "check", "check"]
    assert [each.outcome for each in result.rounds] == [Outcome.CHECK_FAILED, Outcome.CHECK_FAILED, Outcome.COMPLETED]
    assert len(boxes) == 3
    files = git(fake.repository, "ls-tree", "--name-only", result.branch).split()
    assert files == ["README", "file-1", "file-2", "file-3"]


def test_the_agent_is_told_what_failed_and_goes_on_with_its_own_conversation(fake: ModelHost) -> None:
    told: list[str] = []
    boxes = working(fake)
    agent = fake.agent

    def listening(box: FakeBox) -> int:
        code = agent(box)
        told.append((box.path("/paddock/agent") / "conversation").read_text())
        return code

    fake.agent = listening
    failing(fake, 1)
    run_rounds(fake.ask("add files", check="make test"), loop(max_rounds=2), fake.host())
    assert told[0] == "add files\n"
    assert told[1].startswith("add files\nThis check ran on what you committed")
    assert "make test" in told[1]
    assert "expected 2, got 3" in told[1]
    assert ("--resume", SESSION) not in list(itertools.pairwise(boxes[0].spec.argv))
    assert ("--resume", SESSION) in list(itertools.pairwise(boxes[1].spec.argv))


def test_rounds_have_an_end(fake: ModelHost) -> None:
    boxes = working(fake)
    failing(fake, 100)
    result = run_rounds(fake.ask(check="false"), loop(max_rounds=3), fake.host())
    assert (result.outcome, len(boxes), len(result.rounds)) == (Outcome.CHECK_FAILED, 3, 3)


def test_the_time_is_one_for_all_rounds(fake: ModelHost) -> None:
    policy = fake.home / "policy.toml"
    policy.write_text('extends = "offline"\n[limits]\nwall_clock = "4s"\n')
    boxes = working(fake)
    agent = fake.agent

    def slow(box: FakeBox) -> int:
        box.sleep(1.6)
        return agent(box)

    fake.agent = slow
    failing(fake, 100)
    result = run_rounds(fake.ask(check="false", policy=str(policy)), loop(max_rounds=50), fake.host())
    assert len(boxes) == 2
    assert result.limits["wall_clock"].granted < 3


def test_an_agent_that_fails_ends_the_rounds(fake: ModelHost) -> None:
    fake.agent = lambda _: 5
    failing(fake, 100)
    result = run_rounds(fake.ask(check="false"), loop(max_rounds=5), fake.host())
    assert (result.outcome, result.rounds) == (Outcome.AGENT_FAILED, ())


def test_the_result_on_the_disk_has_the_rounds(fake: ModelHost) -> None:
    working(fake)
    failing(fake, 1)
    result = run_rounds(fake.ask(check="make test"), loop(max_rounds=5), fake.host())
    assert read_result(run_paths(fake.state, result.id)) == result


def test_what_a_reviewer_finds_goes_back_and_a_second_look_that_finds_nothing_ends_it(fake: ModelHost) -> None:
    working(fake)
    agent = fake.agent
    looks = itertools.count()

    def either(box: FakeBox) -> int:
        if box.path("/paddock/task/prompt.md").read_text().startswith("Review this"):
            first = next(looks) == 0
            say(
                box,
                started(),
                ended("```findings\nhigh file-1:1: the name is wrong\n```" if first else "```findings\nnone\n```"),
            )
            return 0
        return agent(box)

    fake.agent = either
    result = run_rounds(fake.ask("add files"), loop(max_rounds=5, review="claude"), fake.host())
    assert [each.why for each in result.rounds] == ["task", "review", "findings", "review"]
    assert result.outcome is Outcome.COMPLETED
    assert git(fake.repository, "ls-tree", "--name-only", result.branch).split() == ["README", "file-1", "file-2"]


def test_a_run_is_gone_on_with_on_its_branch(fake: ModelHost) -> None:
    working(fake)
    first = run_task(fake.ask("add files"), fake.host())
    task = task_to_continue(first.id, "the button does nothing", fake.host())
    assert (task.base, task.continues, task.prompt) == (first.branch, first.id, "the button does nothing")
    second = run_task(task, fake.host())
    assert second.continues == first.id
    assert git(fake.repository, "ls-tree", "--name-only", second.branch).split() == ["README", "file-1", "file-2"]
    assert [commit.subject for commit in second.commits] == ["add file-2"]


def test_a_secret_of_the_first_run_is_not_made_up_for_the_second(fake: ModelHost) -> None:
    first = run_task(fake.ask(environment={"MY_TOKEN": "t0p-secret-value", "PLAIN": "1"}), fake.host())
    assert task_to_continue(first.id, "more", fake.host()).environment == {"PLAIN": "1"}


def test_a_command_cannot_be_gone_on_with(fake: ModelHost) -> None:
    first = run_task(fake.task(), fake.host())
    with pytest.raises(RefusedError, match="nobody can talk to"):
        task_to_continue(first.id, "more", fake.host())


def test_a_session_that_is_no_name_is_not_put_on_a_command_line(fake: ModelHost) -> None:
    def agent(box: FakeBox) -> int:
        say(box, {"type": "system", "subtype": "init", "session_id": "--dangerous"}, ended("done"))
        return 0

    fake.agent = agent
    first = run_task(fake.ask(), fake.host())
    assert first.session == "--dangerous"
    boxes = working(fake)
    run_task(continuation(fake.ask(), first, "go on"), fake.host())
    assert "--resume" not in boxes[0].spec.argv


def test_a_check_that_prints_what_no_prompt_may_hold_goes_back_all_the_same(fake: ModelHost) -> None:
    """The check runs the agent's own code: it prints whatever that likes."""
    boxes = working(fake)
    count = itertools.count()

    def check(box: FakeBox) -> int:
        box.write(b"expected 2\x00\x1b[2J\xff, got 3\n")
        return int(next(count) < 1)

    fake.check = check
    result = run_rounds(fake.ask(check="make test"), loop(max_rounds=5), fake.host())
    assert (result.outcome, len(boxes)) == (Outcome.COMPLETED, 2)
    assert "expected 2\\x00\\x1b[2J" in (boxes[1].path("/paddock/agent") / "conversation").read_text()


def test_a_round_that_cannot_be_started_takes_nothing_from_the_work_before(fake: ModelHost) -> None:
    working(fake)

    def check(_: FakeBox) -> int:
        fake.variables.clear()  # the key is revoked meanwhile
        return 1

    fake.check = check
    result = run_rounds(fake.ask(check="make test"), loop(max_rounds=5), fake.host())
    assert (result.outcome, result.rounds) == (Outcome.CHECK_FAILED, ())
    assert result.branch in fake.branches()
    assert any("No further round" in notice and "ANTHROPIC_API_KEY" in notice for notice in result.notices)
    assert read_result(run_paths(fake.state, result.id)) == result


def test_ctrl_c_while_the_next_round_is_prepared_takes_nothing_either(
    fake: ModelHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    working(fake)
    failing(fake, 5)
    count = itertools.count()

    def run(task: Task, host: Host) -> RunResult:
        if next(count):
            raise KeyboardInterrupt
        return run_task(task, host)

    monkeypatch.setattr(rounds, "run_task", run)
    result = run_rounds(fake.ask(check="make test"), loop(max_rounds=5), fake.host())
    assert (result.outcome, result.branch in fake.branches()) == (Outcome.CHECK_FAILED, True)


@pytest.mark.parametrize(("review", "error"), [("claud", UsageError), ("command", UsageError), ("codex", RefusedError)])
def test_a_reviewer_that_cannot_review_is_refused_before_the_work_begins(
    fake: ModelHost, review: str, error: type[Exception]
) -> None:
    boxes = working(fake)
    with pytest.raises(error):
        run_rounds(fake.ask("add files"), loop(max_rounds=5, review=review), fake.host())
    assert boxes == []
