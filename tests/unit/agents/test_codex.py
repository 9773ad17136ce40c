from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agents.base import PLACEHOLDER
from runner.agents.codex import CONFIG, CodexAgent
from runner.model.activity import Answered, Edited, Reported, Said, SessionNamed, ToolUsed, Trouble
from tests.unit.agents.adapter_kit import assignment, read, recorded
from tests.unit.agents.hostile import hostile_events

AGENT = CodexAgent()
TEST = 'sh greet.sh you | grep -qx "Hello, you" && echo "1 passed" || { echo "1 FAILED" >&2; exit 1; }'
DONE = "Done: greet.sh says Hello, and its test passes."
WORK = [
    Said(text="I will write greet.sh and try it."),
    Edited(path="/workspace/greet.sh"),
    Said(text="Now the test."),
    ToolUsed(name="shell", detail=TEST),
    Trouble(text="Exit code 1 1 FAILED"),
    Said(text="It failed: the word is wrong."),
    Edited(path="/workspace/greet.sh"),
    ToolUsed(name="shell", detail=TEST),
    Said(text="Passed. I commit."),
    ToolUsed(name="shell", detail="git add greet.sh && git commit -q -m 'Greet politely'"),
    Said(text=DONE),
    Reported(input=6000, cached=1200, output=180),
    Answered(text=DONE),
]


def line(**event: object) -> bytes:
    return json.dumps(event).encode() + b"\n"


def completed(**item: object) -> bytes:
    return line(type="item.completed", item=item)


def test_a_recorded_run_tells_the_session_words_edits_commands_tokens_and_the_answer() -> None:
    session, unknown_model, *told = recorded(AGENT.reader(), "codex.jsonl")
    assert session == SessionNamed(id="01a1fcfc-2a21-7f91-b0ef-08238c400a03")
    assert isinstance(unknown_model, Trouble)
    assert told == WORK


def test_requests_that_are_asked_again_are_trouble_on_the_way() -> None:
    _, _, *told = recorded(AGENT.reader(), "codex-503.jsonl")
    troubles = [each for each in told if isinstance(each, Trouble) and each.text.startswith("Reconnecting... ")]
    assert len(troubles) == 1
    assert [each for each in told if each not in troubles] == WORK


def test_a_turn_that_failed_has_no_answer() -> None:
    data = completed(type="agent_message", text="I try") + line(type="turn.failed", error={"message": "429"})
    assert read(AGENT.reader(), data) == [Said(text="I try"), Trouble(text="429")]


@pytest.mark.parametrize(
    ("command", "shown"),
    [("bash -lc 'make test'", "make test"), ("make 'test", "make 'test"), ("bash -lc make test", "bash -lc make test")],
)
def test_a_command_is_shown_without_its_shell_where_that_is_clear(command: str, shown: str) -> None:
    data = line(type="item.started", item={"type": "command_execution", "command": command})
    assert read(AGENT.reader(), data) == [ToolUsed(name="shell", detail=shown)]


def test_other_tools_are_told_by_their_names_and_thoughts_are_not_told() -> None:
    data = (
        completed(type="web_search", query="how to")
        + completed(type="mcp_tool_call", tool="look", status="failed", error={"message": "gone"})
        + completed(type="reasoning", text="hm")
    )
    assert read(AGENT.reader(), data) == [
        ToolUsed(name="web_search", detail="how to"),
        ToolUsed(name="look"),
        Trouble(text="gone"),
    ]


def test_its_configuration_names_the_api_and_holds_any_instruction() -> None:
    instruction = 'Commit "early"\\\n\x00\x1f\x7f\x85\u2028 \U0001f600 and often.'
    command = AGENT.command(assignment("openai", model="gpt-6-sol", instruction=instruction))
    config = tomllib.loads(command.state[CONFIG])
    assert config["developer_instructions"] == instruction
    assert config["model"] == "gpt-6-sol"
    provider = config["model_providers"][config["model_provider"]]
    assert (provider["base_url"], provider["env_key"]) == ("http://api.openai.com/v1", "OPENAI_API_KEY")
    assert config["features"]["unbounded_connection_retries"] is False
    assert command.environment["OPENAI_API_KEY"] == PLACEHOLDER
    assert command.environment["CODEX_HOME"] == "/paddock/agent"
    assert PLACEHOLDER not in command.state[CONFIG]


def test_the_prompt_is_a_file_however_long() -> None:
    command = AGENT.command(assignment("openai", prompt="x" * 200_000))
    assert command.files == {"prompt.md": "x" * 200_000}
    assert command.argv[4:] == ("codex", "exec", "--dangerously-bypass-approvals-and-sandbox", "--json", "-")


def test_a_session_goes_on_and_hears_the_instruction_of_now_with_its_prompt() -> None:
    command = AGENT.command(assignment("openai", prompt="and the other", session="0a-b", instruction="Commit early."))
    assert command.argv[4:8] == ("codex", "exec", "resume", "0a-b")
    assert command.files == {"prompt.md": "Commit early.\n\nand the other"}


@given(st.text())
def test_any_instruction_survives_in_toml(text: str) -> None:
    config = tomllib.loads(AGENT.command(assignment("openai", instruction=f"x{text}")).state[CONFIG])
    assert config["developer_instructions"] == f"x{text}"


@given(st.binary() | hostile_events("thread.started", "item.started", "item.completed", "turn.completed", "error"))
def test_whatever_is_printed_the_reader_lives(data: bytes) -> None:
    read(AGENT.reader(), data)
