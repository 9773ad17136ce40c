from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from runner.agents.base import PLACEHOLDER, Api
from runner.agents.claude import INSTRUCTION, ClaudeAgent
from runner.model.activity import Answered, Edited, Reported, Said, SessionNamed, ToolUsed, Trouble
from tests.unit.agents.adapter_kit import assignment, read, recorded
from tests.unit.agents.hostile import hostile_events

AGENT = ClaudeAgent()
MODEL = "claude-opus-5-5"
TURN = Reported(model=MODEL, input=1000, cached=200, output=1)
TEST = 'sh greet.sh you | grep -qx "Hello, you" && echo "1 passed" || { echo "1 FAILED" >&2; exit 1; }'


def line(**event: object) -> bytes:
    return json.dumps(event).encode() + b"\n"


def test_a_recorded_run_tells_the_session_words_edits_commands_tokens_and_the_answer() -> None:
    done = "Done: greet.sh says Hello, and its test passes."
    assert recorded(AGENT.reader(), "claude.jsonl") == [
        SessionNamed(id="9cafa75e-77a5-4e49-84cd-24ea4fd39d18"),
        Said(text="I will write greet.sh and try it."),
        TURN,
        Edited(path="/workspace/greet.sh"),
        Said(text="Now the test."),
        TURN,
        ToolUsed(name="Bash", detail=TEST),
        Trouble(text="Exit code 1 1 FAILED"),
        Said(text="It failed: the word is wrong."),
        TURN,
        Edited(path="/workspace/greet.sh"),
        ToolUsed(name="Bash", detail=TEST),
        TURN,
        Said(text="Passed. I commit."),
        TURN,
        ToolUsed(name="Bash", detail="git add greet.sh && git commit -q -m 'Greet politely'"),
        Said(text=done),
        TURN,
        Answered(text=done),
        Reported(output=174, cost_usd=0.027839999999999997),
    ]


def test_an_overloaded_model_is_trouble_with_each_wait_and_no_answer() -> None:
    session, *told = recorded(AGENT.reader(), "claude-529.jsonl")
    *waits, last, spent = told
    assert isinstance(session, SessionNamed)
    assert waits[0] == Trouble(text="The model did not answer, asking again in 1 s: overloaded 529")
    assert all(isinstance(wait, Trouble) for wait in waits)
    assert isinstance(last, Trouble)
    assert last.text.startswith("API Error: 529 Overloaded.")
    assert spent == Reported()


def test_the_cost_of_a_session_that_goes_on_is_that_of_this_run() -> None:
    usage = {MODEL: {"inputTokens": 5, "outputTokens": 7, "costUSD": 0.25}}
    data = line(type="result", result="ok", total_cost_usd=9.0, model_usage_since_last_result=usage)
    assert read(AGENT.reader(), data) == [Answered(text="ok"), Reported(input=5, output=7, cost_usd=0.25)]


def test_tokens_of_requests_on_the_side_come_with_the_result() -> None:
    said = {"id": "m", "model": MODEL, "usage": {"input_tokens": 10, "output_tokens": 1}}
    usage = {
        MODEL: {"inputTokens": 10, "outputTokens": 30, "costUSD": 0.5},
        "small": {"inputTokens": 4, "outputTokens": 2, "costUSD": 0.25},
    }
    data = line(type="assistant", message=said) + line(type="result", model_usage_since_last_result=usage)
    assert read(AGENT.reader(), data) == [
        Reported(model=MODEL, input=10, output=1),
        Reported(input=4, output=31, cost_usd=0.75),
    ]


def test_a_tool_that_failed_with_a_list_of_texts_is_trouble_in_its_words() -> None:
    content = [{"type": "tool_result", "is_error": True, "content": [{"type": "text", "text": "no such\nfile"}]}]
    assert read(AGENT.reader(), line(type="user", message={"content": content})) == [Trouble(text="no such file")]


def test_a_notebook_is_edited_by_its_own_path() -> None:
    part = {"type": "tool_use", "name": "NotebookEdit", "input": {"notebook_path": "/workspace/a.ipynb"}}
    data = line(type="assistant", message={"content": [part]})
    assert read(AGENT.reader(), data) == [Edited(path="/workspace/a.ipynb")]


def test_the_prompt_and_the_instruction_are_files_and_the_key_is_a_placeholder() -> None:
    command = AGENT.command(assignment(prompt="x" * 200_000, model="haiku", instruction="Commit early."))
    assert command.files == {"prompt.md": "x" * 200_000, INSTRUCTION: "Commit early."}
    assert command.argv[3:] == (
        "/paddock/task/prompt.md",
        *("claude", "-p", "--dangerously-skip-permissions", "--output-format", "stream-json", "--verbose"),
        *(
            "--disallowedTools",
            "WebSearch",
            "--model",
            "haiku",
            "--append-system-prompt-file",
            "/paddock/task/instruction.md",
        ),
    )
    assert command.environment["ANTHROPIC_BASE_URL"] == "http://api.anthropic.com."
    assert command.environment["ANTHROPIC_API_KEY"] == PLACEHOLDER
    assert command.environment["CLAUDE_CONFIG_DIR"] == "/paddock/agent"
    assert command.keeps


def test_a_token_of_a_subscription_takes_the_place_of_the_key() -> None:
    token = Api(provider="anthropic", url="http://api.anthropic.com", variable="CLAUDE_CODE_OAUTH_TOKEN")
    environment = AGENT.command(assignment().__class__(task=assignment().task, api=token)).environment
    assert environment["CLAUDE_CODE_OAUTH_TOKEN"] == PLACEHOLDER
    assert "ANTHROPIC_API_KEY" not in environment


def test_a_key_that_was_passed_in_is_not_replaced() -> None:
    passed = Api(provider="anthropic", url="https://api.anthropic.com", variable="ANTHROPIC_API_KEY", injected=False)
    environment = AGENT.command(assignment().__class__(task=assignment().task, api=passed)).environment
    assert "ANTHROPIC_API_KEY" not in environment
    assert environment["ANTHROPIC_BASE_URL"] == "https://api.anthropic.com"


def test_a_session_goes_on_with_the_instruction_of_now() -> None:
    argv = AGENT.command(assignment(session="0a-b", instruction="new")).argv
    assert argv[-6:] == (
        *("--append-system-prompt-file", "/paddock/task/instruction.md"),
        *("--resume", "0a-b", "--system-prompt-snapshot", "off"),
    )


@given(st.binary() | hostile_events("system", "assistant", "user", "result"))
def test_whatever_is_printed_the_reader_lives(data: bytes) -> None:
    read(AGENT.reader(), data)
