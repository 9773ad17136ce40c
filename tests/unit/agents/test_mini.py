from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from runner.agents.mini import CONFIG, MiniAgent
from runner.model.activity import Answered, Reported, Said, ToolUsed, Trouble
from tests.unit.agents.adapter_kit import assignment, read, recorded

AGENT = MiniAgent()
COMMIT = "echo fixed >> fix.txt && git add fix.txt && git commit -qm 'Fix it' && git log --oneline | head -1"


def test_a_recorded_run_tells_words_commands_and_the_answer() -> None:
    words = Said(text="Let me [bold]fix[/bold] it.")
    last = ToolUsed(name="bash", detail="echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT && echo I fixed it")
    assert recorded(AGENT.reader(), "mini.txt") == [
        words,
        ToolUsed(name="bash", detail=COMMIT),
        words,
        last,
        Answered(text="I fixed it"),
    ]


def test_a_model_that_refuses_is_trouble() -> None:
    (trouble,) = recorded(AGENT.reader(), "mini-429.txt")
    assert isinstance(trouble, Trouble)
    assert trouble.text.startswith("litellm.RateLimitError")


def test_what_a_step_cost_is_the_difference_to_the_step_before() -> None:
    text = "mini-swe-agent (step 1, $0.02):\nhello\nmini-swe-agent (step 2, $0.05):\n"
    found = read(AGENT.reader(), text.encode())
    assert found == [Reported(cost_usd=0.02), Said(text="hello"), Reported(cost_usd=0.03)]


def test_a_command_that_failed_and_an_answer_that_was_no_good_are_trouble() -> None:
    text = "mini-swe-agent (step 1, $0.00):\nTool:\n<returncode>\n2\n<output>\nUser:\nTool call error:\n"
    assert read(AGENT.reader(), text.encode()) == [
        Trouble(text="the command ended with 2"),
        Trouble(text="Tool call error:"),
    ]


def test_giving_up_is_no_answer() -> None:
    text = "Exit:\nRepeatedFormatError\n\nSaved trajectory to 'x'\n"
    assert read(AGENT.reader(), text.encode()) == [Trouble(text="RepeatedFormatError")]


@given(
    st.binary()
    | st.lists(st.sampled_from(["Exit:", "Tool:", "User:", "```", "<returncode>", "x"])).map(
        lambda lines: "\n".join(["mini-swe-agent (step 1, $0.00):", *lines]).encode()
    )
)
def test_whatever_is_printed_the_reader_lives(data: bytes) -> None:
    read(AGENT.reader(), data)


def test_the_prompt_is_in_a_file_as_it_stands_after_the_instruction() -> None:
    command = AGENT.command(assignment(prompt="a {{ b }} {% c", instruction="commit often"))
    config = json.loads(command.files[CONFIG])
    assert config["run"]["task"] == "commit often\n\na {{ b }} {% c"
    assert not [word for word in command.argv if "{{" in word]


def test_a_mini_yaml_of_the_repository_is_not_taken_for_its_own() -> None:
    argv = AGENT.command(assignment()).argv
    named = [argv[place + 1] for place, word in enumerate(argv) if word == "--config"]
    assert named == ["../config/mini.yaml", "/paddock/task/paddock.yaml"]


def test_litellm_is_told_where_the_api_is_and_asks_for_no_prices() -> None:
    environment = AGENT.command(assignment("google")).environment
    assert environment["GEMINI_API_BASE"] == "http://generativelanguage.googleapis.com/v1beta"
    assert environment["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
    assert "gemini/gemini-3.8-flash" in AGENT.command(assignment("google")).argv
