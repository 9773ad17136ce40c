"""The tokens of an answer are those that it tells; where it tells none, or was cut off, they are guessed by size."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress import usage
from runner.egress.usage import AnswerReader, Asked, Form, Room, form_of
from runner.model.usage import Spent

JSON, SSE = b"application/json", b"text/event-stream; charset=utf-8"
MESSAGES = Asked("POST", "/v1/messages?beta=true", size=4000)
RESPONSES = Asked("POST", "/v1/responses", size=4000)
CHAT = Asked("POST", "/v1/chat/completions", size=4000)
GEMINI = Asked("POST", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", size=4000)


def sse(*events: dict[str, Any], named: bool = False) -> bytes:
    lines = ((f"event: {event['type']}\n" if named else "") + f"data: {json.dumps(event)}\n\n" for event in events)
    return "".join(lines).encode()


def split(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [*pieces, data[at:]]


def read(data: bytes, asked: Asked = MESSAGES, kind: bytes = SSE, status: int = 200, *, cut: bool = True) -> Any:
    form = form_of(asked, status, kind)
    if form is None:
        return None
    reader = AnswerReader(asked, form, Room())
    reader.feed(data)
    if cut:
        reader.end()
    return reader.spent(over=cut)


ANTHROPIC_USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 2000,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
    "output_tokens": 1,
}
START = {"type": "message_start", "message": {"model": "claude-sonnet-4-5", "usage": ANTHROPIC_USAGE, "content": []}}
TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 400}}
THOUGHT = {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "x" * 400}}
CALL = {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "x" * 400}}
SIGNED = {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "x" * 400}}
DELTA = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 77}}
STOP = {"type": "message_stop"}
ANTHROPIC = sse(START, {"type": "ping"}, TEXT, DELTA, STOP, named=True)
CLAUDE = Spent(model="claude-sonnet-4-5", input=10, cached=2000, cache_write=200, cache_write_hour=100, output=77)


def test_a_stream_of_anthropic_costs_what_its_first_and_last_events_tell() -> None:
    assert read(ANTHROPIC) == CLAUDE


def test_a_message_of_anthropic_costs_what_it_tells() -> None:
    document = START["message"] | {"type": "message", "usage": ANTHROPIC_USAGE | {"output_tokens": 77}}  # type: ignore[operator]
    assert read(json.dumps(document).encode(), kind=JSON) == CLAUDE


def test_reports_of_one_stream_are_totals_and_not_added_up() -> None:
    again = DELTA | {"usage": ANTHROPIC_USAGE | {"output_tokens": 70}}
    assert read(sse(START, TEXT, again, DELTA, DELTA)) == CLAUDE
    assert read(sse(START, TEXT, DELTA, again)) == CLAUDE


def test_a_report_in_the_manner_of_anthropic_is_read_so_whatever_it_adds() -> None:
    told = ANTHROPIC_USAGE | {"output_tokens": 77, "total_tokens": 10**6}
    assert read(sse(START, DELTA | {"usage": told})) == CLAUDE


def test_text_is_guessed_until_a_report_covers_it() -> None:
    early = CHUNK | {"usage": CHAT_USAGE | {"completion_tokens": 0}}
    assert read(sse(CHUNK, early), CHAT) == COMPLETION.model_copy(update={"output": 200, "estimated": True})


@pytest.mark.parametrize("delta", [TEXT, THOUGHT, CALL])
def test_a_stream_that_is_cut_off_costs_what_was_told_and_the_text_that_came(delta: dict[str, Any]) -> None:
    assert read(sse(START, delta)) == CLAUDE.model_copy(update={"output": 1 + 100, "estimated": True})


def test_what_is_no_text_is_not_taken_for_tokens() -> None:
    assert read(sse(START, SIGNED)) == CLAUDE.model_copy(update={"output": 1})


RESPONSE = {
    "object": "response",
    "model": "gpt-5.2-codex",
    "error": None,
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "x" * 4000}]}],
    "usage": {
        "input_tokens": 1000,
        "input_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 100},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 20},
        "total_tokens": 1050,
    },
}
BEGUN = RESPONSE | {"usage": None, "output": []}
CREATED = {"type": "response.created", "response": BEGUN}
SAID = {"type": "response.output_text.delta", "delta": "x" * 400, "obfuscation": "y" * 4000}
SAID_ALL = {"type": "response.output_text.done", "text": "x" * 400}
GPT = Spent(model="gpt-5.2-codex", input=300, cached=600, cache_write=100, output=50)


@pytest.mark.parametrize("last", ["response.completed", "response.incomplete"])
def test_a_stream_of_responses_costs_what_its_last_event_tells(last: str) -> None:
    assert read(sse(CREATED, SAID, SAID_ALL, {"type": last, "response": RESPONSE}), RESPONSES) == GPT


def test_a_response_costs_what_it_tells() -> None:
    assert read(json.dumps(RESPONSE, indent=1).encode(), RESPONSES, JSON) == GPT


def test_a_response_that_is_cut_off_is_guessed_from_the_request_and_the_text_once() -> None:
    expected = Spent(model="gpt-5.2-codex", input=1000, output=100, estimated=True)
    assert read(sse(CREATED, SAID, SAID_ALL), RESPONSES) == expected


def test_a_response_made_in_the_background_is_counted_where_it_is_fetched() -> None:
    assert read(json.dumps(RESPONSE).encode(), Asked("GET", "/v1/responses/resp_1"), JSON) == GPT


CHUNK = {"object": "chat.completion.chunk", "model": "gpt-5", "choices": [{"delta": {"content": "x" * 400}}]}
CHAT_USAGE = {"prompt_tokens": 1000, "completion_tokens": 50, "prompt_tokens_details": {"cached_tokens": 600}}
LAST = CHUNK | {"choices": [], "usage": CHAT_USAGE}
COMPLETION = Spent(model="gpt-5", input=400, cached=600, output=50)


def test_a_stream_of_completions_costs_what_its_last_chunk_tells() -> None:
    assert read(sse(CHUNK, CHUNK, LAST) + b"data: [DONE]\n\n", CHAT) == COMPLETION


def test_a_completion_costs_what_it_tells() -> None:
    document = {"model": "gpt-5", "choices": [{"message": {"content": "hi"}}], "usage": CHAT_USAGE}
    assert read(json.dumps(document).encode(), CHAT, JSON) == COMPLETION


def test_a_stream_of_completions_whose_client_asked_for_no_usage_is_guessed() -> None:
    done = sse(CHUNK, CHUNK) + b"data: [DONE]\n\n"
    assert read(done, CHAT) == Spent(model="gpt-5", input=1000, output=200, estimated=True)


def test_the_path_cannot_be_written_so_that_a_stream_is_not_guessed() -> None:
    done = sse(CHUNK, CHUNK)
    for target in ("/v1/chat/%63ompletions", "/v1/chat/completions/", "/v1/chat/completions;x"):
        spent = read(done, Asked("POST", target, size=4000))
        assert (spent.input, spent.output) == (1000, 200)


def test_thoughts_that_are_in_the_total_alone_are_output() -> None:
    told = CHAT_USAGE | {"total_tokens": 1450}
    assert read(sse(CHUNK | {"usage": told}), CHAT) == COMPLETION.model_copy(update={"output": 450})


def test_two_ways_of_telling_that_only_some_providers_have() -> None:
    groq = CHUNK | {"x_groq": {"usage": CHAT_USAGE}}
    deepseek = CHUNK | {"usage": {"prompt_tokens": 1000, "completion_tokens": 50, "prompt_cache_hit_tokens": 600}}
    assert read(sse(groq), CHAT) == COMPLETION
    assert read(sse(deepseek), CHAT) == COMPLETION


def gemini(output: int, text: str = "x" * 400) -> dict[str, Any]:
    told = {"promptTokenCount": 1000, "cachedContentTokenCount": 600, "toolUsePromptTokenCount": 5}
    return {
        "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}}],
        "usageMetadata": told | {"candidatesTokenCount": output, "thoughtsTokenCount": 20, "totalTokenCount": 9},
        "modelVersion": "gemini-2.5-pro",
    }


GOOGLE = Spent(model="gemini-2.5-pro", input=405, cached=600, output=50)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (sse(gemini(10), gemini(20), gemini(30)), SSE),
        (json.dumps([gemini(10), gemini(20), gemini(30)], indent=2).encode(), JSON),
        (json.dumps(gemini(30)).encode(), JSON),
    ],
    ids=["events", "array", "document"],
)
def test_gemini_costs_what_its_last_document_tells(data: bytes, kind: bytes) -> None:
    assert read(data, GEMINI, kind) == GOOGLE


def test_a_model_that_the_answer_does_not_name_is_the_one_in_the_path() -> None:
    document = gemini(30)
    del document["modelVersion"]
    assert read(json.dumps(document).encode(), GEMINI, JSON) == GOOGLE
    other = document | {"modelVersion": "gemini-3"}
    assert read(json.dumps(other).encode(), GEMINI, JSON).model == "gemini-3"


def test_an_answer_that_tells_its_tokens_is_counted_whatever_its_path_and_not_guessed() -> None:
    document = {"model": "m", "output": "x" * 4000, "usage": {"prompt_tokens": 8}}
    spent = read(json.dumps(document).encode(), Asked("POST", "/v1/embeddings", size=4000), JSON)
    assert spent == Spent(model="m", input=8)


@pytest.mark.parametrize("target", ["/v1/messages/count_tokens", "/v1beta/models/m:countTokens", "/v1/files"])
@pytest.mark.parametrize("document", [{"input_tokens": 14}, {"totalTokens": 31}, {"id": "f", "bytes": 5}])
def test_answers_that_are_of_no_model_cost_nothing(target: str, document: dict[str, Any]) -> None:
    assert read(json.dumps(document).encode(), Asked("POST", target, size=4000), JSON) is None


@pytest.mark.parametrize("asked", [Asked("GET", "/v1/models"), Asked("GET", "/v1/messages"), Asked("DELETE", "/v1/x")])
def test_requests_that_set_no_model_to_work_are_not_even_read(asked: Asked) -> None:
    assert form_of(asked, 200, JSON) is None


def test_a_picture_is_not_read_unless_a_model_made_it() -> None:
    assert form_of(Asked("POST", "/v1/files"), 200, b"image/png") is None
    assert form_of(MESSAGES, 200, b"image/png") is Form.OTHER


@pytest.mark.parametrize("status", [400, 401, 429, 500, 529, 304, 101])
def test_an_error_costs_nothing(status: int) -> None:
    assert read(ANTHROPIC, status=status) is None


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "error": {"type": "overloaded_error"}},
        {"error": {"message": "no", "code": 500}},
        {"type": "response.failed", "response": RESPONSE | {"usage": None}},
    ],
)
def test_a_stream_that_is_nothing_but_an_error_costs_nothing(event: dict[str, Any]) -> None:
    assert read(sse(event)) is None


def test_what_came_before_an_error_counts() -> None:
    spent = read(sse(START, TEXT, {"type": "error", "error": {"type": "overloaded_error"}}))
    assert spent == CLAUDE.model_copy(update={"output": 101, "estimated": True})
    spent = read(sse(CHUNK, {"error": {"message": "no"}}), CHAT)
    assert spent == Spent(model="gpt-5", input=1000, output=100, estimated=True)


@pytest.mark.parametrize("number", [-1, 10**12, True, 1.5, "5", None, [], {}])
def test_what_is_no_number_of_tokens_is_ignored(number: Any) -> None:
    told = {"usage": {"input_tokens": number, "output_tokens": 7, "cache_read_input_tokens": number}}
    spent = read(json.dumps({"type": "message", "model": "m"} | told).encode(), kind=JSON)
    assert spent == Spent(model="m", input=1000, output=7, estimated=True)


@pytest.mark.parametrize("name", ["", "a b", "x" * 101, "\x1b[2J", "ü", 5, None])
def test_a_name_that_is_none_names_no_model(name: Any) -> None:
    spent = read(json.dumps({"model": name, "usage": CHAT_USAGE}).encode(), CHAT, JSON)
    assert spent.model == "unknown"


@pytest.mark.parametrize(
    "data",
    [b"[" * 100_000, b"\xff\xfe\x00", b'{"a":' * 50_000, b"1" * 5000, b'{"content": "\\ud800"}', b"{}", b"null", b""],
)
@pytest.mark.parametrize("kind", [JSON, SSE, b"", b"application/octet-stream"])
def test_garbage_from_a_model_is_guessed_and_raises_nothing(data: bytes, kind: bytes) -> None:
    for whole in (data, b"data: " + data + b"\n\n"):
        spent = read(whole, kind=kind)
        assert spent.input == 1000
        assert spent.output <= len(whole) // 4


def test_a_document_that_is_too_long_is_guessed_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "MAX_DOCUMENT", 1000)
    data = json.dumps({"usage": CHAT_USAGE, "text": "x" * 4000}).encode()
    assert read(data, CHAT, JSON) == Spent(input=1000, output=len(data) // 4, estimated=True)


def test_an_event_that_is_too_long_is_guessed_and_the_next_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "MAX_DOCUMENT", 1000)
    long, short = b"data: " + b"x" * 4000 + b"\n", sse(LAST)
    for pieces in ([long + short], [long[:2000], long[2000:] + short], [long[:1], long[1:], short]):
        reader = AnswerReader(CHAT, Form.EVENTS, Room())
        for piece in pieces:
            reader.feed(piece)
        assert reader.spent(over=True) == COMPLETION
    assert read(long, CHAT) == Spent(input=1000, output=len(long) // 4, estimated=True)


def test_no_more_is_held_than_there_is_room_for_and_all_of_it_is_given_back() -> None:
    room = Room(100)
    first, second = AnswerReader(CHAT, Form.DOCUMENT, room), AnswerReader(CHAT, Form.EVENTS, room)
    first.feed(b"x" * 80)
    second.feed(b"y" * 40)
    assert second.tokens == 10
    assert not room.take(21)
    first.end()
    second.end()
    assert room.take(100)


def test_while_an_answer_comes_what_was_sent_is_not_guessed() -> None:
    assert read(sse(CHUNK, CHUNK), CHAT, cut=False) == Spent(model="gpt-5", output=200, estimated=True)


def test_an_event_may_have_several_lines_of_data_and_any_line_end() -> None:
    pretty = json.dumps(LAST, indent=1)
    for end in ("\n", "\r\n"):
        lines = [f"data: {line}" for line in pretty.splitlines()]
        assert read(end.join([": hello", *lines, "", ""]).encode(), CHAT) == COMPLETION


def test_a_last_event_without_an_empty_line_is_read_too() -> None:
    assert read(sse(LAST).rstrip(), CHAT) == COMPLETION
    assert read(sse(LAST).rstrip() + b"\r", CHAT) == COMPLETION


def test_a_request_that_nobody_waits_for_is_guessed_if_all_of_it_was_sent() -> None:
    assert GEMINI.unanswered() == Spent(model="gemini-2.5-pro", input=1000, estimated=True)
    assert Asked("POST", "/v1/%6dessages", size=4000).unanswered() == Spent(input=1000, estimated=True)
    assert Asked("POST", "/v1/messages", size=4000, whole=False).unanswered() is None
    assert Asked("GET", "/v1/messages", size=4000).unanswered() is None
    assert Asked("POST", "/v1/files", size=4000).unanswered() is None


STREAMS = [
    (ANTHROPIC, MESSAGES, SSE),
    (ANTHROPIC.replace(b"\n", b"\r\n"), MESSAGES, SSE),
    (ANTHROPIC[:-200], MESSAGES, SSE),
    (sse(CREATED, SAID, {"type": "response.completed", "response": RESPONSE}), RESPONSES, SSE),
    (json.dumps(RESPONSE).encode(), RESPONSES, JSON),
    (sse(CHUNK, LAST) + b"data: [DONE]\n\n", CHAT, SSE),
    (sse(CHUNK, LAST)[:-2] + b"data: more\n", CHAT, SSE),
    (json.dumps([gemini(10), gemini(20)]).encode(), GEMINI, JSON),
]


@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 300), max_size=40))
def test_however_an_answer_is_split_it_costs_the_same(stream: tuple[bytes, Asked, bytes], sizes: list[int]) -> None:
    data, asked, kind = stream
    form = form_of(asked, 200, kind)
    assert form is not None
    reader = AnswerReader(asked, form, Room())
    for piece in split(data, sizes):
        reader.feed(piece)
    reader.end()
    reader.end()
    assert reader.spent(over=True) == read(data, asked, kind)


FIELDS = ["type", "model", "usage", "message", "response", "choices", "delta", "error", "input_tokens", "candidates"]
FIELDS += ["output_tokens", "prompt_tokens", "prompt_tokens_details", "cached_tokens", "usageMetadata", "x_groq"]
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(FIELDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=12,
)
WRAPPED: list[Callable[[bytes], bytes]] = [lambda data: data, lambda data: b"data: " + data + b"\n\n"]


@given(VALUES, st.sampled_from(WRAPPED), st.sampled_from([JSON, SSE]))
def test_no_document_however_odd_raises_or_costs_less_than_nothing(
    value: Any, wrap: Callable[[bytes], bytes], kind: bytes
) -> None:
    spent = read(wrap(json.dumps(value).encode()), kind=kind)
    assert spent is None or (spent.tokens >= 0 and spent.model.isprintable())


@given(st.lists(st.binary(max_size=50) | st.sampled_from([b"data:", b"\n", b"\r\n", b"\n\n", b'{"usage":', b"}"])))
def test_no_bytes_raise_and_what_is_held_is_given_back(pieces: list[bytes]) -> None:
    for form in Form:
        room = Room(1000)
        reader = AnswerReader(CHAT, form, room)
        for piece in pieces:
            reader.feed(piece)
        reader.end()
        assert reader.spent(over=True) is not None or b"error" in b"".join(pieces)
        assert room.take(1000)
