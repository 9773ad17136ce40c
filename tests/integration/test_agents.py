"""Real agents, from their packages, in the sandbox, against a model that the test plays on loopback.

The key is the host's: the model's server gets it, and nothing inside ever sees it.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from runner.model.result import Outcome, RunResult
from tests.integration.agents_kit import KEYS, Studio
from tests.integration.cli import show
from tests.integration.library import Library
from tests.models import dialogues
from tests.models.wire import Usage

MODELS = {"claude": "", "codex": "", "gemini": "", "opencode": "openai/gpt-5", "aider": "gpt-4o", "mini": "gpt-5"}
"""Every agent, with the model that it is asked to use."""
WITH_TOOLS = tuple(name for name in MODELS if name != "aider")
"""Aider runs no commands by itself."""

every_agent = pytest.mark.parametrize("agent", MODELS)
every_agent_with_tools = pytest.mark.parametrize("agent", WITH_TOOLS)


@pytest.fixture
def studio(library: Library, tmp_path: Path, authority: trustme.CA) -> Studio:
    return Studio(library, tmp_path, authority)


def logged(result: RunResult) -> str:
    return Path(result.paths["log"]).read_text(errors="replace")


@every_agent
def test_a_commit_comes_out_and_the_key_went_past_the_sandbox(agent: str, studio: Studio, repository: Path) -> None:
    with studio.model(dialogues.commit_work()) as model:
        result = studio.run(repository, agent, model=MODELS[agent])
        told = model.spent
        assert result.outcome is Outcome.COMPLETED, logged(result)
        assert show(repository, result.branch, "greet.sh").strip() == 'echo "Hello, $1"'
        keys = [key for key in KEYS.values() if key in model.text]
    assert len(keys) == 1, "the model's server has to get the real key"
    assert result.leaks == ()
    assert {row.name for row in result.denials} == set()
    files = [path for path in Path(result.paths["run"]).rglob("*") if path.is_file()]
    assert [path.name for path in files if any(key.encode() in path.read_bytes() for key in KEYS.values())] == []
    assert_tokens_are_counted(result, told)
    assert_work_was_told(result, studio)


def assert_tokens_are_counted(result: RunResult, told: Usage) -> None:
    """What the model's server says that it took is what the result says."""
    assert sum(row.input + row.cached + row.cache_write for row in result.spent) == told.input
    assert sum(row.output for row in result.spent) == told.output
    assert not any(row.estimated for row in result.spent)


def assert_work_was_told(result: RunResult, studio: Studio) -> None:
    """What the agent does is told while it works, and kept to be read."""
    assert "said" in {activity.kind for activity in studio.watched}
    transcript = Path(result.paths["transcript"]).read_text()
    assert "greet" in transcript
    assert "\x1b" not in transcript


@every_agent_with_tools
def test_nothing_inside_holds_the_key(agent: str, studio: Studio, repository: Path) -> None:
    with studio.model(dialogues.prints_environment()) as model:
        result = studio.run(repository, agent, model=MODELS[agent])
        seen = model.text  # what the agent found is what it tells its model
        bodies = "\n".join(str(heard.body) for heard in model.heard)
    assert result.agent_exit_code == 0, logged(result)
    assert "PADDOCK_RUN" in bodies
    assert [key for key in KEYS.values() if key in bodies or key in logged(result)] == []
    assert any(key in seen for key in KEYS.values())


@every_agent_with_tools
def test_a_host_that_it_may_not_reach_is_in_the_result(agent: str, studio: Studio, repository: Path) -> None:
    with studio.model(dialogues.ask_denied_host("denied.test")):
        result = studio.run(repository, agent, model=MODELS[agent])
    assert "denied.test" in {row.name for row in result.denials}
    assert ("denied.test", 443) not in studio.internet.dialled
    assert show(repository, result.branch, "page.html").strip() == "could not be fetched"


@every_agent
def test_work_without_end_is_stopped_by_the_clock(agent: str, studio: Studio, repository: Path) -> None:
    policy = studio.policy('[limits]\nwall_clock = "12s"\ngrace = "1s"')
    with studio.model(dialogues.never_ends()):
        result = studio.run(repository, agent, model=MODELS[agent], policy=policy)
    assert (result.outcome, result.exit_code) == (Outcome.TIMED_OUT, 11)
    assert result.leaks == ()


@pytest.mark.parametrize("agent", ["claude", "codex"])  # the watch is the same for all; others start slowly
def test_a_model_that_does_not_answer_is_told_by_silence(agent: str, studio: Studio, repository: Path) -> None:
    policy = studio.policy('[limits]\nidle = "15s"\ngrace = "1s"')
    with studio.model(dialogues.silent()) as model:
        result = studio.run(repository, agent, model=MODELS[agent], policy=policy)
        assert model.heard
    assert (result.outcome, result.exit_code) == (Outcome.IDLE, 12)


@every_agent
def test_tokens_beyond_the_budget_end_the_run(agent: str, studio: Studio, repository: Path) -> None:
    policy = studio.policy("[limits]\ntokens = 250000")
    costly = dialogues.commit_work().costing(Usage(input=200_000, output=100_000))
    with studio.model(costly if agent == "aider" else dialogues.burns_tokens(100_000)):
        result = studio.run(repository, agent, model=MODELS[agent], policy=policy)
    assert (result.outcome, result.exit_code) == (Outcome.BUDGET_EXCEEDED, 16), logged(result)[-3000:]
    assert result.limits["tokens"].hit


@every_agent
def test_a_model_that_is_busy_at_first_is_asked_again(agent: str, studio: Studio, repository: Path) -> None:
    with studio.model(dialogues.rate_limited(1)):
        result = studio.run(repository, agent, model=MODELS[agent])
    assert result.outcome is Outcome.COMPLETED, logged(result)
    assert show(repository, result.branch, "greet.sh").strip() == 'echo "Hello, $1"'
