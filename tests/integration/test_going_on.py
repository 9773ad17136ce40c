"""Going on with a real agent: its own conversation, its own branch; rounds until a check succeeds; a reviewer."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from runner.model.result import Outcome
from runner.run.execute import run_task
from runner.run.rounds import Loop, run_rounds, task_to_continue
from tests.integration.agents_kit import Studio
from tests.integration.cli import show
from tests.integration.library import Library
from tests.models import dialogues
from tests.models.dialogues import Dialogue
from tests.models.wire import Asked


@pytest.fixture
def studio(library: Library, tmp_path: Path, authority: trustme.CA) -> Studio:
    return Studio(library, tmp_path, authority)


def first_and_more(asked: Asked) -> Dialogue:
    """Another file for each prompt of one conversation."""
    return dialogues.commit_work(path=f"greet-{asked.finished}.sh", message=f"Greet {asked.finished}")


@pytest.mark.parametrize(
    ("agent", "model"), [("claude", ""), ("codex", "gpt-5"), ("gemini", ""), ("opencode", "gpt-5")]
)
def test_a_run_is_gone_on_with_in_its_agents_own_conversation(
    agent: str, model: str, studio: Studio, repository: Path
) -> None:
    with studio.model(first_and_more) as server:
        first = studio.run(repository, agent, "Write a greeting.", model=model)
        before = len(server.main)
        second = run_task(task_to_continue(first.id, "Now another one.", studio.host()), studio.host())
        later = server.main[before:]
    assert (first.outcome, second.outcome) == (Outcome.COMPLETED, Outcome.COMPLETED)
    assert second.continues == first.id
    assert "Write a greeting." in str(later[0].body)
    assert "Now another one." in str(later[0].body)
    assert show(repository, second.branch, "greet-0.sh")
    assert show(repository, second.branch, "greet-1.sh")


def test_rounds_go_on_until_the_check_succeeds(studio: Studio, repository: Path) -> None:
    with studio.model(first_and_more):
        task_check = "test -f greet-1.sh"
        host = studio.host()
        result = run_rounds(
            studio.task(repository, "claude", check=task_check),
            Loop(max_rounds=3, templates=Path("/nonexistent")),
            host,
        )
    assert result.outcome is Outcome.COMPLETED
    assert [(each.why, each.outcome.value) for each in result.rounds] == [
        ("task", "check-failed"), ("check", "completed")
    ]  # fmt: skip
    assert result.check is not None
    assert result.check.exit_code == 0


def test_a_reviewer_of_another_kind_looks_and_the_first_agent_mends(studio: Studio, repository: Path) -> None:
    def answers(asked: Asked) -> Dialogue:
        if "Review this, and change nothing" in asked.prompt:
            found = (
                "```findings\nnone\n```" if "greet-1.sh" in asked.everything else "```findings\nhigh a.py:1: no\n```"
            )
            return Dialogue(turns=(dialogues.Turn(f"I looked.\n\n{found}"),))
        return first_and_more(asked)

    with studio.model(answers):
        result = run_rounds(
            studio.task(repository, "claude"),
            Loop(max_rounds=2, review="codex", review_model="gpt-5", templates=Path("/nonexistent")),
            studio.host(),
        )
    assert [(each.agent, each.why) for each in result.rounds] == [
        ("claude", "task"), ("codex", "review"), ("claude", "findings")
    ]  # fmt: skip
    assert show(repository, result.branch, "greet-1.sh")


def test_the_agents_own_files_are_never_another_runs(studio: Studio, repository: Path) -> None:
    with studio.model(first_and_more) as server:
        studio.run(repository, "claude", "Write a greeting: SECRET-OF-THE-FIRST.")
        before = len(server.main)
        studio.run(repository, "claude", "Another task.")
        assert "SECRET-OF-THE-FIRST" not in str([heard.body for heard in server.main[before:]])
