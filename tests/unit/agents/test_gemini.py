from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from runner.agents.base import PLACEHOLDER
from runner.agents.gemini import INSTRUCTION, SETTINGS, GeminiAgent
from runner.model.activity import Answered, Edited, Reported, Said, SessionNamed, ToolUsed, Trouble
from tests.unit.agents.adapter_kit import assignment, read, recorded
from tests.unit.agents.hostile import hostile_events

AGENT = GeminiAgent()
TEST = 'sh greet.sh you | grep -qx "Hello, you" && echo "1 passed" || { echo "1 FAILED" >&2; exit 1; }'


def line(**event: object) -> bytes:
    return json.dumps(event).encode() + b"\n"


def said(text: str) -> bytes:
    return line(type="message", role="assistant", content=text, delta=True)


def test_a_recorded_run_tells_the_session_words_edits_commands_tokens_and_the_answer() -> None:
    done = "Done: greet.sh says Hello, and its test passes."
    assert recorded(AGENT.reader(), "gemini.jsonl") == [
        SessionNamed(id="2d541e61-c76c-408e-b9d6-e2b815f990f6"),
        Said(text="I will write greet.sh and try it."),
        Edited(path="/workspace/greet.sh"),
        Said(text="Now the test."),
        ToolUsed(name="run_shell_command", detail=TEST),
        Said(text="It failed: the word is wrong."),
        Edited(path="/workspace/greet.sh"),
        ToolUsed(name="run_shell_command", detail=TEST),
        Said(text="Passed. I commit."),
        ToolUsed(name="run_shell_command", detail="git add greet.sh && git commit -q -m 'Greet politely'"),
        Said(text=done),
        Answered(text=done),
        Reported(model="gemini-2.5-pro", input=6000, cached=1200, output=180),
    ]


def test_a_model_that_refuses_is_trouble_at_the_end() -> None:
    session, trouble, spent = recorded(AGENT.reader(), "gemini-429.jsonl")
    assert isinstance(session, SessionNamed)
    assert isinstance(trouble, Trouble)
    assert trouble.text.startswith("[API Error: Too many requests, come again in 1 s Suggested retry after 1s.]")
    assert spent == Reported(model="gemini-2.5-pro")


def test_what_it_thought_counts_as_output() -> None:
    usage = {"total_tokens": 100, "input_tokens": 60, "output_tokens": 10, "cached": 20}
    data = line(type="result", status="success", stats={"models": {"m": usage}})
    assert read(AGENT.reader(), data) == [Reported(model="m", input=40, cached=20, output=40)]


def test_a_run_that_failed_has_words_and_trouble_and_no_answer() -> None:
    data = said("I tr") + said("y") + line(type="result", status="error", error={"message": "quota\nexceeded"})
    assert read(AGENT.reader(), data) == [Said(text="I try"), Trouble(text="quota exceeded")]


def test_a_tool_that_failed_and_a_warning_are_trouble() -> None:
    data = line(type="tool_result", status="error", output="no file") + line(type="error", message="loop detected")
    assert read(AGENT.reader(), data) == [Trouble(text="no file"), Trouble(text="loop detected")]


def test_the_users_own_words_are_not_the_agents() -> None:
    assert read(AGENT.reader(), line(type="message", role="user", content="hi") + line(type="init")) == []


def test_endless_words_are_cut() -> None:
    (words,) = read(AGENT.reader(), said("x" * 60_000) * 3 + line(type="init"))
    assert isinstance(words, Said)
    assert len(words.text) == 64 * 1024


def test_the_prompt_is_a_file_and_its_settings_are_in_its_home() -> None:
    command = AGENT.command(assignment("google", prompt="x" * 200_000, model="m", instruction="Commit early."))
    assert command.argv[4:] == ("gemini", "--yolo", "--output-format", "stream-json", "--model", "m")
    assert command.files == {"prompt.md": "x" * 200_000}
    settings = json.loads(command.state[SETTINGS])
    assert settings["security"] == {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}}
    assert command.environment["GEMINI_CLI_HOME"] == "/paddock/agent"
    assert command.environment["GEMINI_API_KEY"] == PLACEHOLDER
    assert command.environment["GOOGLE_GEMINI_BASE_URL"] == "http://generativelanguage.googleapis.com"
    assert command.state[INSTRUCTION] == "Commit early."


def test_a_session_goes_on_and_forgets_the_instruction_of_before() -> None:
    command = AGENT.command(assignment("google", session="0a-b"))
    assert command.argv[-2:] == ("--resume", "0a-b")
    assert command.state[INSTRUCTION] == ""


@given(st.binary() | hostile_events("init", "message", "tool_use", "tool_result", "error", "result"))
def test_whatever_is_printed_the_reader_lives(data: bytes) -> None:
    read(AGENT.reader(), data)
