"""Every wire format tells the same dialogue, and its place follows from the conversation alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.models.dialogues import SIDE, TURN, Dialogue, Turn, big_answer, burns_tokens, commit_work, never_ends
from tests.models.server import ModelServer, model_server
from tests.models.tools import Shell
from tests.models.wire import Asked, Usage
from tests.unit.models.asking import ask, events
from tests.unit.models.clients import CLIENTS, Answer, Anthropic, Chat, Client, Gemini, Responses

EVERY = pytest.mark.parametrize("client", CLIENTS)
WAYS = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server(None, [], commit_work()) as server:
        yield server


def command(answer: Answer) -> str:
    """The command that is asked for."""
    assert answer.arguments is not None
    return str(answer.arguments.get("command") or answer.arguments["cmd"])


@EVERY
@WAYS
def test_a_dialogue_is_told_to_its_end(client: type[Client], stream: bool, server: ModelServer) -> None:
    talk = client(server, stream=stream)
    answers = [talk.say("greet")] + [talk.tell(f"result {number}") for number in range(5)]
    assert [answer.tool for answer in answers] == [client.shell] * 5 + [""]
    assert [answer.text for answer in answers] == [turn.text for turn in commit_work().turns]
    assert command(answers[4]) == "git add greet.sh && git commit -q -m 'Greet politely'"
    assert {answer.usage for answer in answers} == {(TURN.input, TURN.cached, TURN.output)}
    assert server.spent == Usage(input=7200, cached=1200, output=180)
    assert [heard.asked.turn for heard in server.main if heard.asked] == [0, 1, 2, 3, 4, 5]


@EVERY
def test_requests_on_the_side_take_no_turn(client: type[Client], server: ModelServer) -> None:
    talk = client(server)
    talk.say("greet")
    title = client(server, tools=False).say("Write a title")
    assert (title.text, title.tool, title.usage) == ("A small task", "", (SIDE.input, SIDE.cached, SIDE.output))
    assert talk.tell("done").text == "Now the test."
    assert [heard.main for heard in server.heard] == [True, False, True]
    assert server.spent == Usage(input=2410, cached=400, output=62)


@EVERY
def test_the_same_request_gets_the_same_turn_again(client: type[Client], server: ModelServer) -> None:
    talk = client(server)
    first = talk.say("greet")
    del talk.history[1:]
    assert talk.go() == first


@EVERY
def test_a_second_prompt_begins_the_dialogue_again(client: type[Client], server: ModelServer) -> None:
    talk = client(server)
    talk.say("greet")
    answers = [talk.tell("fine") for _ in range(5)]
    assert answers[-1].text.startswith("Done")
    assert talk.say("once more").text == "I will write greet.sh and try it."
    asked = server.heard[-1].asked
    assert asked is not None
    assert (asked.turn, asked.finished, asked.prompt) == (0, 1, "once more")


@EVERY
def test_the_dialogue_can_be_chosen_by_what_was_asked(client: type[Client]) -> None:
    def choose(asked: Asked) -> Dialogue:
        return commit_work("other.sh") if asked.finished else Dialogue(turns=(Turn("Done."),))

    with model_server(None, [], choose) as server:
        talk = client(server)
        assert talk.say("greet") == Answer("Done.", usage=(1200, 200, 30))
        assert "other.sh" in command(talk.say("the button does nothing"))


@EVERY
def test_reminders_beside_a_tool_result_do_not_move_the_dialogue(client: type[Client], server: ModelServer) -> None:
    talk = client(server)
    talk.say("greet")
    talk.history.extend(talk.result("fine"))
    assert talk.say("<reminder>Keep a list.</reminder>").text == "Now the test."


@EVERY
def test_work_without_end_goes_on(client: type[Client]) -> None:
    with model_server(None, [], never_ends()) as server:
        talk = client(server)
        answers = [talk.say("go")] + [talk.tell("") for _ in range(20)]
    assert [command(answer) for answer in answers] == [f"echo {number}" for number in range(21)]


@EVERY
def test_burning_tokens_costs_a_million_a_turn(client: type[Client]) -> None:
    with model_server(None, [], burns_tokens()) as server:
        answer = client(server).say("go")
    assert answer.usage == (900_000, 0, 100_000)


@EVERY
@WAYS
def test_a_big_answer_comes_whole(client: type[Client], stream: bool) -> None:
    with model_server(None, [], big_answer(300_000)) as server:
        assert client(server, stream=stream).say("go").text == big_answer(300_000).turns[0].text


def test_all_kinds_of_tokens_are_told() -> None:
    usage = Usage(input=100, cached=30, written=20, output=50, thought=40)
    dialogue = Dialogue(turns=(Turn("Done.", usage=usage),))
    with model_server(None, [], dialogue) as server:
        told = [ask(server, talk.path, talk.body()).json() for talk in (kind(server, stream=False) for kind in CLIENTS)]
    assert told[0]["usage"] == {
        "input_tokens": 50,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 30,
        "output_tokens": 50,
    }
    assert told[1]["usage"]["completion_tokens_details"] == {"reasoning_tokens": 40}
    assert told[2]["usage"]["output_tokens_details"] == {"reasoning_tokens": 40}
    assert told[2]["usage"]["total_tokens"] == 150
    assert told[3]["usageMetadata"] == {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 30,
        "candidatesTokenCount": 10,
        "thoughtsTokenCount": 40,
        "totalTokenCount": 150,
    }


# --- the order of events ------------------------------------------------------------------------------------------

ONE = Dialogue(turns=(Turn("Look.", Shell("ls")),))


def order(client: type[Client]) -> list[tuple[str, object]]:
    """The events of one answer with a text and a call."""
    with model_server(None, [], ONE) as server:
        talk = client(server)
        talk.history.append(talk.user("go"))
        return events(talk.raw().body)


def names(stream: list[tuple[str, object]]) -> list[str]:
    """Their names; the same one in a row is told once."""
    found = [name for name, _ in stream]
    return [name for index, name in enumerate(found) if index == 0 or found[index - 1] != name]


def test_the_order_of_anthropics_events() -> None:
    assert names(order(Anthropic)) == [
        "message_start",
        "ping",
        *["content_block_start", "content_block_delta", "content_block_stop"] * 2,
        "message_delta",
        "message_stop",
    ]


def test_the_order_of_responses_events() -> None:
    assert names(order(Responses)) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_a_chat_stream_tells_no_usage_unasked() -> None:
    with model_server(None, [], ONE) as server:
        talk = Chat(server)
        body = talk.body() | {"stream_options": None}
        chunks = events(ask(server, talk.path, body).body)
        assert server.spent == Usage()
    assert chunks[-1] == ("", "[DONE]")
    assert all("usage" not in data and data["choices"] for _, data in chunks[:-1])


def test_the_order_of_geminis_documents() -> None:
    stream = order(Gemini)
    parts = [data["candidates"][0]["content"]["parts"][0] for _, data in stream if isinstance(data, dict)]
    assert [next(iter(part)) for part in parts] == ["text", "functionCall"]
