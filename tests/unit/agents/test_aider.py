from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agents.aider import METADATA, AiderAgent
from runner.model.activity import Answered, Edited, Reported, Said, SessionNamed, Trouble
from tests.unit.agents.adapter_kit import assignment, read, recorded

AGENT = AiderAgent()


def test_a_recorded_run_tells_words_tokens_edit_and_commit() -> None:
    found = recorded(AGENT.reader(), "aider.txt")
    assert [type(each) for each in found] == [SessionNamed, Said, Answered, Reported, Edited, Said]
    words, spent, edited, commit = found[1], found[3], found[4], found[5]
    assert isinstance(words, Said)
    assert words.text.startswith("I will make fix.txt.")
    assert spent == Reported(input=2000, output=22)
    assert edited == Edited(path="fix.txt")
    assert isinstance(commit, Said)
    assert commit.text.startswith("Commit ")


@pytest.mark.parametrize("name", ["aider-429.txt", "aider-cut.txt"])
def test_a_model_that_gives_no_answer_is_trouble(name: str) -> None:
    found = recorded(AGENT.reader(), name)
    assert [each for each in found if isinstance(each, Trouble)]
    assert not [each for each in found if isinstance(each, Answered)]


def test_the_line_of_tokens_is_read_with_all_its_parts() -> None:
    line = b"Tokens: 12k sent, 1.5k cache write, 300 cache hit, 45 received. Cost: $0.0123 message, $0.02 session."
    assert read(AGENT.reader(), line)[-1] == Reported(
        input=12_000, cache_write=1_500, cached=300, output=45, cost_usd=0.0123
    )


@given(st.binary() | st.from_regex(r"Tokens: [0-9.kM]{1,20} sent.*", fullmatch=True).map(str.encode))
def test_whatever_is_printed_the_reader_lives(data: bytes) -> None:
    read(AGENT.reader(), data)


@pytest.mark.parametrize("prompt", ["/run rm -rf .", "!ls"])
def test_a_prompt_is_never_a_command_of_aiders(prompt: str) -> None:
    assert AGENT.command(assignment(prompt=prompt)).files["prompt.md"] == f"\n{prompt}"


def test_its_own_files_are_outside_the_repository() -> None:
    command = AGENT.command(assignment())
    assert "/paddock/agent/chat.md" in command.argv
    assert "/paddock/agent/input" in command.argv
    assert "rm -rf .aider.tags.cache.v*" in command.argv[2]


def test_a_model_that_it_does_not_know_is_described_so_that_it_fetches_no_list() -> None:
    files = AGENT.command(assignment("openai", model="openai/some-new-model")).files
    assert list(json.loads(files[METADATA])) == ["openai/some-new-model"]


def test_a_conversation_is_restored_only_when_there_is_one() -> None:
    assert "--restore-chat-history" in AGENT.command(assignment(session="chat")).argv
    assert "--restore-chat-history" not in AGENT.command(assignment()).argv


def test_the_instruction_is_a_file_that_it_reads() -> None:
    command = AGENT.command(assignment(instruction="commit often"))
    assert command.argv[command.argv.index("--read") + 1] == "/paddock/task/instruction.md"
    assert command.files["instruction.md"] == "commit often"
