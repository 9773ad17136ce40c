"""The server itself: TLS, probes, troubles, what it remembers, and that it ends with everything still open."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time

import pytest
import trustme

from tests.models.dialogues import (
    READY,
    Dialogue,
    Turn,
    commit_work,
    cut_stream,
    garbage,
    never_ends,
    overloaded,
    rate_limited,
    silent,
)
from tests.models.server import model_server
from tests.models.wire import Usage
from tests.unit.models.asking import ask
from tests.unit.models.clients import CLIENTS, Anthropic, Chat, Client, Responses

EVERY = pytest.mark.parametrize("client", CLIENTS)
WAYS = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


def test_it_is_reached_over_tls_by_a_name_that_its_authority_vouches_for() -> None:
    authority = trustme.CA()
    with model_server(authority, ["127.0.0.1", "api.test"], commit_work()) as server:
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        assert ask(server, "/", method="GET", tls=trusting).status == 200
        assert server.url == f"https://127.0.0.1:{server.port}"
        with pytest.raises(ssl.SSLCertVerificationError):
            ask(server, "/", method="GET", tls=ssl.create_default_context())


def test_a_client_that_never_shakes_hands_delays_nobody() -> None:
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with (
        model_server(authority, ["127.0.0.1"], commit_work()) as server,
        socket.create_connection(("127.0.0.1", server.port)),
    ):
        assert ask(server, "/", method="GET", tls=trusting, timeout=5).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", "/", 200),
        ("GET", "/", 200),
        ("GET", "/v1/models", 200),
        ("GET", "/v1beta/models", 200),
        ("GET", "/v1/responses", 404),
        ("POST", "/v1/nothing", 404),
    ],
)
def test_probes_are_answered(method: str, path: str, status: int) -> None:
    with model_server(None, [], commit_work()) as server:
        assert ask(server, path, {}, method=method).status == status
        assert [(heard.method, heard.path, heard.main) for heard in server.heard] == [(method, path, False)]


def test_tokens_are_counted_before_they_are_asked_for() -> None:
    messages = [{"role": "user", "content": "x" * 400}]
    contents = [{"role": "user", "parts": [{"text": "x" * 400}]}]
    with model_server(None, [], commit_work()) as server:
        assert ask(server, "/v1/messages/count_tokens", {"messages": messages}).json() == {"input_tokens": 101}
        assert ask(server, "/v1beta/models/m:countTokens", {"contents": contents}).json() == {"totalTokens": 101}
        assert server.spent == Usage()


def test_every_request_is_remembered() -> None:
    before = time.monotonic()
    with model_server(None, [], commit_work()) as server:
        Anthropic(server).say("greet, please")
        [heard] = server.heard
        assert heard.path == "/v1/messages?beta=true"
        assert heard.headers["x-api-key"] == "sk-test-0123456789abcdef"
        assert heard.body["messages"][0]["content"] == "greet, please"
        assert before < heard.at < time.monotonic()
        assert "sk-test-0123456789abcdef" in server.text


def test_a_test_can_wait_for_the_first_question() -> None:
    with model_server(None, [], commit_work()) as server:
        ask(server, "/", method="GET")
        with pytest.raises(TimeoutError, match="asked 0 times"):
            server.wait(timeout=0.05)
        thread = threading.Thread(target=lambda: Chat(server).say("go"))
        thread.start()
        assert server.wait(timeout=10)[0].path == "/v1/chat/completions"
        thread.join()


@pytest.mark.parametrize("body", [b"", b"\xff\x00", b"[1]", b"{", b"[" * 100_000, b"null"])
@EVERY
def test_a_body_that_is_no_object_is_refused(client: type[Client], body: bytes) -> None:
    with model_server(None, [], commit_work()) as server:
        raw = ask(server, client(server).path, body)
    assert raw.status == 400
    assert "the body is no JSON object" in raw.json()["error"]["message"]


def test_a_chunked_body_is_read() -> None:
    with model_server(None, [], commit_work()) as server:
        talk = Chat(server, stream=False)
        data = json.dumps(talk.body()).encode()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("POST", talk.path, iter([data[:10], data[10:]]), encode_chunked=True)
        assert json.loads(connection.getresponse().read())["choices"][0]["finish_reason"] == "tool_calls"
        connection.request("GET", "/")
        assert connection.getresponse().read() == b'{"status": "ok"}'
        connection.close()


# --- troubles -----------------------------------------------------------------------------------------------------


@EVERY
def test_too_many_requests_are_told_to_come_again(client: type[Client]) -> None:
    with model_server(None, [], rate_limited(times=2)) as server:
        talk = client(server)
        refused = [talk.raw(), talk.raw()]
        assert [(raw.status, raw.headers["retry-after"]) for raw in refused] == [(429, "1")] * 2
        assert server.spent == Usage()
        assert talk.say("go").text == commit_work().turns[0].text


@EVERY
def test_an_overloaded_model_says_so_in_its_own_way(client: type[Client]) -> None:
    with model_server(None, [], overloaded(times=1)) as server:
        talk = client(server)
        raw = talk.raw()
        assert raw.status == (529 if client is Anthropic else 503)
        assert raw.json()["error"]["message"] == "Overloaded"
        assert talk.say("go").tool == client.shell


def test_requests_on_the_side_have_no_trouble() -> None:
    with model_server(None, [], rate_limited(times=1)) as server:
        assert Chat(server, tools=False).say("a title").text == "A small task"
        assert Chat(server).raw().status == 429


@EVERY
@WAYS
def test_a_cut_answer_ends_in_the_middle(client: type[Client], stream: bool) -> None:
    with model_server(None, [], cut_stream(times=1)) as server:
        talk = client(server, stream=stream)
        with pytest.raises(http.client.IncompleteRead):
            talk.raw()
        assert server.spent == Usage()
        assert talk.say("go").text == commit_work().turns[0].text


def test_where_an_answer_is_cut_can_be_said() -> None:
    sizes = []
    for share in (0, 0.1, 0.9):
        with model_server(None, [], cut_stream(share=share)) as server:
            with pytest.raises(http.client.IncompleteRead) as cut:
                Anthropic(server, stream=False).raw()
            sizes.append(len(cut.value.partial))
    assert sizes[0] == 1
    assert sizes[0] < sizes[1] * 2 < sizes[2]


@EVERY
def test_garbage_is_neither_json_nor_events(client: type[Client]) -> None:
    with model_server(None, [], garbage()) as server:
        raws = [client(server).raw() for _ in range(3)]
    assert {raw.status for raw in raws} == {200}
    for raw in raws:
        with pytest.raises(UnicodeDecodeError):
            raw.body.decode()


@EVERY
def test_a_silent_model_hears_and_says_nothing(client: type[Client]) -> None:
    with model_server(None, [], silent()) as server:
        talk = client(server)
        with pytest.raises(TimeoutError):
            ask(server, talk.path, talk.body(), timeout=0.3)
        assert len(server.main) == 1


def test_it_ends_at_once_with_connections_open() -> None:
    with model_server(None, [], silent()) as server:
        idle = socket.create_connection(("127.0.0.1", server.port))
        waiting = socket.create_connection(("127.0.0.1", server.port))
        data = json.dumps(Chat(server).body()).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        waiting.sendall(head.encode() + data)
        server.wait(timeout=10)
        start = time.monotonic()
    assert time.monotonic() - start < 5
    for connection in (idle, waiting):
        assert connection.recv(1) == b""
        connection.close()


def test_an_agent_without_tools_hears_an_endless_answer() -> None:
    system = [{"role": "system", "content": "Answer with *SEARCH/REPLACE* blocks."}]
    with model_server(None, [], never_ends()) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("POST", "/v1/chat/completions", json.dumps({"messages": system, "stream": True}))
        response = connection.getresponse()
        heard = b""
        while heard.count(b"Still at it.") < 5:
            heard += response.read1(4096)
        connection.close()
        response.close()
    assert b"[DONE]" not in heard
    assert server.spent == Usage()


@pytest.mark.parametrize("client", [Anthropic, Responses])
def test_many_ask_at_once(client: type[Client]) -> None:
    talks = 20
    with model_server(None, [], Dialogue(turns=(Turn("Done."),))) as server:
        threads = [threading.Thread(target=lambda: client(server).say("go")) for _ in range(talks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.spent == Usage(input=1200 * talks, cached=200 * talks, output=30 * talks)


@pytest.mark.parametrize("name", sorted(READY))
def test_every_ready_dialogue_can_be_made(name: str) -> None:
    assert READY[name]().turns
