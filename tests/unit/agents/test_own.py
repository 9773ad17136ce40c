from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from runner.agents.base import PLACEHOLDER, Assignment
from runner.agents.claude import ClaudeReader
from runner.agents.own import OwnAgent
from runner.agents.providers import OPENAI, Key, Provider
from runner.agents.table import agent_named, agents
from runner.errors import UsageError
from runner.model.agent_settings import AgentSettings
from runner.model.task import Task
from tests.unit.agents.adapter_kit import assignment, read

GATEWAY: dict[str, Any] = {"url": "https://models.example.test/v1/", "secret": "COMPANY_KEY", "header": "X-Key"}


def own(**settings: Any) -> OwnAgent:
    return OwnAgent("mine", AgentSettings(argv=("mine",), **settings))


def argv_of(*argv: str, **changes: Any) -> tuple[str, ...]:
    settings = AgentSettings(argv=argv, provider="openai")
    return OwnAgent("mine", settings).command(assignment("openai", **changes)).argv


def test_the_prompt_is_standard_input_unless_the_argv_says_where_it_goes() -> None:
    assert argv_of("mine", "-x")[-2:] == ("mine", "-x")
    assert argv_of("mine", "-x")[3] == "/paddock/task/prompt.md"
    assert argv_of("mine", "--from={prompt_file}") == ("mine", "--from=/paddock/task/prompt.md")
    assert argv_of("mine", "{prompt}", prompt="a {model} b") == ("mine", "a {model} b")


def test_model_and_address_are_put_in() -> None:
    assert argv_of("mine", "{model}@{url}", "{prompt}", model="openai/m")[1] == "m@http://api.openai.com/v1"
    assert argv_of("mine", "{model}", "{prompt}")[1] == OPENAI.model


def test_other_braces_stay() -> None:
    assert argv_of("mine", '{"a": {}}', "{home}", "{prompt}")[1:3] == ('{"a": {}}', "{home}")


def test_the_instruction_is_a_file_where_one_is_wanted_and_else_before_the_prompt() -> None:
    wanted = OwnAgent("mine", AgentSettings(argv=("mine", "{instruction_file}")))
    given_task = Assignment(task=Task(repo="/r", prompt="fix"), instruction="commit")
    assert wanted.command(given_task).files == {"prompt.md": "fix", "instruction.md": "commit"}
    assert own().command(given_task).files == {"prompt.md": "commit\n\nfix"}


def test_a_prompt_that_is_no_argument_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError) as caught:
        argv_of("mine", "{prompt}", prompt="x" * 130_000)
    assert "{prompt_file}" in str(caught.value.hint)


def test_the_key_is_a_placeholder_in_the_variable_of_the_settings() -> None:
    agent = own(provider="openai", variable="MY_KEY", environment={"BASE": "{url}"})
    (provider,) = agent.providers("")
    assert provider.keys == (Key(variable="MY_KEY", header="authorization"),)
    environment = agent.command(assignment("openai")).environment
    assert (environment["OPENAI_API_KEY"], environment["BASE"]) == (PLACEHOLDER, "http://api.openai.com/v1")


def test_an_api_of_ones_own_is_a_provider() -> None:
    expected = Provider(
        name="mine", url="https://models.example.test/v1", keys=(Key(variable="COMPANY_KEY", header="x-key"),)
    )
    assert own(**GATEWAY).providers("any") == (expected,)
    assert own().providers("any") == ()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"image": "x"}, "image is for an agent of your own"),
        ({"argv": ["x"], "url": "https://a.test"}, "secret and header"),
        ({"argv": ["x"], "model": "m"}, "model says nothing without a provider or a url"),
        ({"argv": ["x", "{url}"]}, "{url} is the address of an API"),
        ({"argv": [""]}, "the first word is the program"),
        ({"url": "http://a.test"}, "is not the address of an API"),
        ({"url": "https://user@a.test"}, "is not the address of an API"),
        ({"header": "Host"}, "cannot carry a secret"),
        ({"argv": ["x"], "environment": {"LD_PRELOAD": "x"}}, "may not be set"),
        ({"argv": ["x"], "reader": "json"}, "'text'"),
        ({"argvs": ["x"]}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_agent_are_refused_in_words(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AgentSettings.model_validate(settings)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("claude", AgentSettings(argv=("x",)), "Paddock has an agent of that name"),
        ("demo", AgentSettings(argv=("x",)), "Paddock has an agent of that name"),
        ("clade", AgentSettings(model="m"), "there is no such agent"),
        ("My Agent", AgentSettings(argv=("x",)), "not a name for an agent"),
        ("mine", AgentSettings(argv=("x",), provider="opnai"), "there is no provider 'opnai'"),
    ],
)
def test_names_that_fit_no_agent_are_refused(name: str, settings: AgentSettings, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        agent_named(name, {name: settings})
    assert words in str(caught.value)


def test_an_own_agent_stands_in_the_table_after_the_known_ones() -> None:
    mine = {"mine": AgentSettings(argv=("mine",)), "claude": AgentSettings(model="m")}
    assert list(agents(mine))[-1] == "mine"
    assert agent_named("mine", mine).description == "your own: mine"
    assert agent_named("claude", mine).description == agent_named("claude").description


def test_it_may_print_like_a_known_agent() -> None:
    assert isinstance(own(reader="claude").reader(), ClaudeReader)


@given(st.binary())
def test_whatever_is_printed_the_reader_lives(data: bytes) -> None:
    read(own().reader(), data)
