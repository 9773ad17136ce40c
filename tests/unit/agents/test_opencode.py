from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agents.base import PLACEHOLDER
from runner.agents.opencode import PACKAGES, OpencodeAgent
from runner.agents.providers import PROVIDERS
from runner.errors import UsageError
from runner.model.activity import Answered, Edited, Reported, Said, SessionNamed, ToolUsed, Trouble
from tests.unit.agents.adapter_kit import assignment, read, recorded

AGENT = OpencodeAgent()
KEYS = st.sampled_from(
    ["tool", "state", "input", "tokens", "cache", "read", "text", "data", "message", "status", "cost"]
)


def test_a_recorded_run_is_told_from_the_session_to_the_answer() -> None:
    found = recorded(AGENT.reader(), "opencode.jsonl")
    assert [type(each) for each in found] == [SessionNamed, ToolUsed, Reported, Said, Reported, Answered]
    tool, spent, answer = found[1], found[2], found[-1]
    assert isinstance(tool, ToolUsed)
    assert tool.detail.startswith("echo fixed")
    assert isinstance(spent, Reported)
    assert (spent.input, spent.cached, spent.cache_write, spent.output) == (100, 20, 10, 42)
    assert answer == Answered(text="All done: fix.txt is committed.")


def test_a_model_that_refuses_is_trouble() -> None:
    assert recorded(AGENT.reader(), "opencode-429.jsonl")[1:] == [Trouble(text="slow down")]


def test_answers_that_break_off_end_in_the_guards_words() -> None:
    found = recorded(AGENT.reader(), "opencode-cut.jsonl")
    assert found[-1] == Trouble(text="10 answers of the model broke off")
    assert not [each for each in found if isinstance(each, Answered)]


def test_a_patch_tells_each_of_its_files() -> None:
    patch = "*** Begin Patch\n*** Update File: a.py\n@@\n-1\n+2\n*** Add File: b.py\n+3\n*** End Patch"
    part = {"tool": "apply_patch", "state": {"status": "completed", "input": {"patchText": patch}}}
    found = read(AGENT.reader(), json.dumps({"type": "tool_use", "part": part}).encode())
    assert found == [Edited(path="a.py"), Edited(path="b.py")]


@given(st.binary())
def test_whatever_is_printed_the_reader_lives(data: bytes) -> None:
    read(AGENT.reader(), data)


@given(
    st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(KEYS, inner) | st.lists(inner))
)
def test_whatever_an_event_holds_the_reader_lives(value: object) -> None:
    for kind in ("text", "tool_use", "step_finish", "error"):
        read(AGENT.reader(), json.dumps({"type": kind, "part": value, "error": value}).encode())


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if PROVIDERS[name].model])
def test_every_provider_has_a_package_inside_the_program_and_a_placeholder_for_a_key(provider: str) -> None:
    command = AGENT.command(assignment(provider))
    config = json.loads(command.environment["OPENCODE_CONFIG_CONTENT"])
    settings = config["provider"][provider]
    assert settings["npm"] == PACKAGES[provider]
    assert settings["options"]["baseURL"].startswith(PROVIDERS[provider].url.replace("https", "http"))
    assert config["permission"] == "allow"
    assert command.environment[PROVIDERS[provider].keys[0].variable] == PLACEHOLDER
    assert command.argv[command.argv.index("--model") + 1] == f"{provider}/{PROVIDERS[provider].model}"


def test_a_session_is_gone_on_with_and_a_new_one_asks_no_model_for_a_title() -> None:
    assert AGENT.command(assignment(session="ses_1")).argv[-2:] == ("--session", "ses_1")
    assert AGENT.command(assignment()).argv[-2:] == ("--title", "paddock")


def test_the_instruction_is_a_file_that_the_configuration_names() -> None:
    command = AGENT.command(assignment(instruction="commit often"))
    assert command.files["instruction.md"] == "commit often"
    assert "/paddock/task/instruction.md" in command.environment["OPENCODE_CONFIG_CONTENT"]


def test_a_provider_without_a_usual_model_wants_one_named() -> None:
    with pytest.raises(UsageError) as caught:
        AGENT.command(assignment("openrouter"))
    assert "--model openrouter/NAME" in str(caught.value.hint)
    command = AGENT.command(assignment("openrouter", model="openrouter/some/model"))
    assert "openrouter/some/model" in command.argv
