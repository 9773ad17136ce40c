"""What an agent's run leaves beside its branch: its answer as a file, and the commands to type next."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from runner.errors import RefusedError, UsageError
from runner.model.events import Notice
from runner.model.result import Outcome, RunResult
from runner.report.summary import headline, summary_lines
from runner.run.execute import run_task
from runner.run.rounds import Loop, run_rounds, task_to_continue
from runner.sandbox.fake import FakeBox
from tests.unit.run.fake_host import FakeHost
from tests.unit.run.model_agent import ModelHost, commit, ended, say, started

NOWHERE = Path("/nonexistent")


@pytest.fixture
def fake(tmp_path: Path) -> ModelHost:
    return ModelHost(tmp_path)


def commits(box: FakeBox) -> int:
    commit(box, "new")
    say(box, started(), ended("I made it.\n"))
    return 0


def first_words(result: RunResult) -> list[str]:
    """Which commands are offered."""
    return [command.replace(result.id, "ID") for command in result.next]


def test_a_run_with_an_agent_can_be_gone_on_with(fake: ModelHost) -> None:
    fake.agent = commits
    result = run_task(fake.ask(), fake.host())
    assert first_words(result) == [
        "paddock show ID",
        "paddock diff ID",
        "paddock merge ID",
        'paddock continue ID "..."',
        "paddock logs ID --transcript",
    ]
    assert Path(result.paths["answer"]).read_text() == "I made it.\n"


def test_what_failed_can_be_gone_on_with_too(fake: ModelHost) -> None:
    fake.agent = commits
    fake.check = lambda _: 1
    result = run_task(fake.ask(check="false"), fake.host())
    assert result.outcome is Outcome.CHECK_FAILED
    assert 'paddock continue ID "..."' in first_words(result)
    assert "paddock merge ID" not in first_words(result)


def test_a_command_is_not_talked_to(tmp_path: Path) -> None:
    fake = FakeHost(tmp_path)
    result = run_task(fake.task(), fake.host())
    assert "continue" not in " ".join(result.next)
    assert first_words(result)[-1] == "paddock logs ID"


def test_what_a_gate_kept_apart_is_not_offered_to_go_on_with(fake: ModelHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.repo.gates.MAX_COMMITS", 0)
    fake.agent = commits
    result = run_task(fake.ask(), fake.host())
    assert result.outcome is Outcome.REJECTED
    assert "continue" not in " ".join(result.next)
    with pytest.raises(RefusedError, match="no branch to go on with"):
        task_to_continue(result.id, "more", fake.host())


def test_an_answer_is_a_file_and_its_run_has_no_branch_to_look_at(fake: ModelHost) -> None:
    fake.agent = commits
    result = run_task(fake.ask(result="answer"), fake.host())
    assert (result.outcome, result.branch) == (Outcome.COMPLETED, "")
    assert headline(result) == "The agent ended with 0 and gave its answer."
    assert f"  answer    {result.paths['answer']}" in list(summary_lines(result))
    assert "An answer was asked for: what was changed is on no branch, only in changes.bundle." in result.notices
    assert first_words(result) == ["paddock show ID", 'paddock continue ID "..."', "paddock logs ID --transcript"]
    assert task_to_continue(result.id, "more", fake.host()).base == result.base


def test_an_answer_without_any_change_says_nothing_of_one(fake: ModelHost) -> None:
    result = run_task(fake.ask(result="answer"), fake.host())
    assert result.outcome is Outcome.COMPLETED
    assert "on no branch" not in " ".join(result.notices)


def test_an_agent_is_not_started_without_a_prompt(fake: ModelHost) -> None:
    with pytest.raises(UsageError, match="needs a prompt"):
        run_task(fake.ask(prompt=" \n"), fake.host())


# --- rounds -------------------------------------------------------------------------------------------------------


def test_a_reviewer_that_cannot_be_is_refused_before_anybody_works(fake: ModelHost) -> None:
    worked: list[FakeBox] = []
    fake.agent = lambda box: worked.append(box) or 0  # type: ignore[func-returns-value]
    for name, said in (("nosuch", "no agent"), ("command", "cannot review"), ("gemini", "needs a key")):
        with pytest.raises((UsageError, RefusedError), match=said):
            run_rounds(fake.ask(), Loop(review=name, templates=NOWHERE), fake.host())
    assert worked == []


def test_whoever_watches_is_told_why_there_is_another_round(fake: ModelHost) -> None:
    count = itertools.count()

    def agent(box: FakeBox) -> int:
        commit(box, f"file-{next(count)}")
        say(box, started(), ended("done"))
        return 0

    fake.agent, fake.check = agent, lambda _: 1
    task = fake.ask("Write it.", check="make test")
    result = run_rounds(task, Loop(max_rounds=2, templates=NOWHERE), fake.host())
    told = [event.text for event in fake.events if isinstance(event, Notice)]
    assert "round 2 of at most 2: the check failed; claude is told, and goes on." in told
    assert [("write-it" in each.id) for each in result.rounds] == [True, True]
