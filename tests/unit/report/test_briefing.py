"""What an agent is told of its sandbox follows from the policy that holds, and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from runner.model.policy import Policy
from runner.model.task import Task
from runner.plan import HOME, TASK, WORKSPACE
from runner.report.briefing import MOST_INSTRUCTION, PLACE, Given, briefing_of, instruction_of

GOLDEN = Path(__file__).parent / "golden"

RICH = Policy.model_validate(
    {
        "network": {
            "mode": "allow",
            "allow": ["@python", "@forge", "*.example.test", "db.example.test:5432"],
            "deny": ["paste.example.test"],
            "private": ["10.1.0.0/16"],
            "inject": [{"host": "models.example.test", "header": "x-api-key", "secret": "MODEL_API_KEY"}],
        },
        "mounts": [
            {"source": "/srv/data", "target": "/data"},
            {"source": "/srv/out", "target": "/results", "mode": "rw"},
        ],
        "caches": [{"name": "uv", "target": "/home/agent/.cache/uv"}],
        "limits": {"tokens": 2_000_000, "cost_usd": 2.5, "wall_clock": "1h30m"},
    }
)
FULL = Given(
    task=Task(repo="/r", prompt="x", notes=True, check="make test", pass_secrets=("DEPLOY_TOKEN",)),
    policy=RICH,
    groups={"forge": ("forge.example.test", "api.forge.example.test")},
    context=("research.md", "data"),
    beside={"lib": "https://forge.example.test/lib", "lib-2": ""},
)
CLOSED = Given(task=Task(repo="/r", prompt="x", result="answer"), policy=Policy())


@pytest.mark.parametrize(("name", "given"), [("full", FULL), ("closed", CLOSED)])
def test_the_whole_is_what_its_golden_file_says(name: str, given: Given) -> None:
    text = f"{briefing_of(given)}\n---\n\n{instruction_of(given)}"
    assert text == (GOLDEN / f"briefing-{name}.md").read_text()


def test_its_places_are_those_of_the_plan() -> None:
    assert f"{TASK}/briefing.md" == PLACE
    assert f"The repository is at {WORKSPACE}." in briefing_of(FULL)
    assert f"`{HOME}` (your HOME)" in briefing_of(FULL)


def test_an_open_network_is_told_as_one() -> None:
    given = replace(CLOSED, policy=Policy.model_validate({"network": {"mode": "open", "deny": ["x.example.test"]}}))
    assert "- Every public name can be reached" in briefing_of(given)
    assert "- Closed all the same: `x.example.test`\n" in briefing_of(given)
    assert "There is none." not in briefing_of(given)
    assert "- The network is open" in instruction_of(given)


def test_an_allow_list_of_nothing_reaches_nothing() -> None:
    given = replace(CLOSED, policy=Policy.model_validate({"network": {"mode": "allow"}}))
    assert "The network reaches nothing." in instruction_of(given)


def test_a_group_that_the_image_has_no_tool_for_is_told_as_empty() -> None:
    given = replace(FULL, groups={"python": (), "forge": ("forge.example.test",)})
    assert "  - `@python`: nothing in this image\n" in briefing_of(given)


def test_no_name_and_no_value_of_a_secret_that_the_gateway_holds_is_told() -> None:
    assert "MODEL_API_KEY" not in briefing_of(FULL) + instruction_of(FULL)
    assert "http://models.example.test" in briefing_of(FULL)


@pytest.mark.parametrize("result", ["answer", "touched"])
def test_a_task_without_a_branch_is_told_to_commit_nothing_and_to_keep_no_notes(result: str) -> None:
    task = FULL.task.model_copy(update={"result": result})
    for text in (briefing_of(replace(FULL, task=task)), instruction_of(replace(FULL, task=task))):
        assert "**Your last message is the result**" in text
        assert "Commit nothing." in text
        assert "plan.md" not in text
        assert "Commit there" not in text


def test_a_writable_root_is_told() -> None:
    given = replace(CLOSED, policy=Policy.model_validate({"sandbox": {"writable_root": True}}))
    assert "Everything else can be written" in briefing_of(given)
    assert "Everything else is read-only" not in briefing_of(given)


ODD = st.text(max_size=300)


@for_all(st.lists(ODD, max_size=40), ODD, st.integers(0, 100))
def test_an_instruction_stays_short_and_keeps_its_lines_whatever_is_given_along(
    names: list[str], check: str, hosts: int
) -> None:
    allow = [f"{'a' * 60}.{'b' * 60}.n{number}.example.test" for number in range(hosts)]
    given = Given(
        task=FULL.task.model_copy(update={"check": check}),
        policy=Policy.model_validate({"network": {"mode": "allow", "allow": allow}}),
        context=names,
        beside=dict.fromkeys(names, "https://example.test/x"),
    )
    text = instruction_of(given)
    assert len(text.encode()) <= MOST_INSTRUCTION
    assert all(line.startswith(("- ", "You work")) for line in text.rstrip("\n").split("\n"))
    assert text.count("`") % 2 == 0
