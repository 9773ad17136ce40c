"""HTTP with the engine: whole answers however they come, refusals with their reason, streams, and every way to fail."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.sandbox.docker_http import (
    UPGRADE,
    Answer,
    ApiError,
    ImageNotFoundError,
    NotFoundError,
    Request,
    send,
)
from runner.sandbox.docker_streams import frames
from runner.sandbox.engine import Output
from tests.unit.sandbox.engine_socket import UPGRADED, Asked, EngineSocket, Say, document, says, silent_after

HEAD = b"HTTP/1.1 200 OK\r\n"
TEXT = '{"some": ["thing", "ü"]}'
WAIT = 0.2
"""Seconds that a test waits for what never comes."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineSocket]:
    with EngineSocket(tmp_path / "engine.sock") as engine:
        yield engine


def ask(engine: EngineSocket, say: Say, *, timeout: float = 10.0, upgrade: bool = False) -> Answer:
    """Ask, and be answered so."""
    engine.answers["/it"] = say
    return send(str(engine.place), Request("GET", "/it", UPGRADE if upgrade else {}), timeout)


def document_of(engine: EngineSocket, say: Say, *, timeout: float = 10.0) -> Any:
    """What is read of such an answer."""
    with closing(ask(engine, say, timeout=timeout)) as answer:
        return answer.document()


def test_what_was_asked_arrives(engine: EngineSocket) -> None:
    engine.answers["/it"] = document("{}")
    send(str(engine.place), Request("POST", "/it?a=b", {"Connection": "close"}, b'{"x": 1}'), 10.0).close()

    (asked,) = engine.asked
    assert (asked.method, asked.target, asked.body) == ("POST", "/it?a=b", b'{"x": 1}')
    assert (asked.headers["host"], asked.headers["connection"]) == ("localhost", "close")


# --- documents ----------------------------------------------------------------------------------------------------


def chunked(data: bytes, size: int) -> list[bytes]:
    pieces = [data[begin : begin + size] for begin in range(0, len(data), size)]
    return [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""]]


@pytest.mark.parametrize(
    "say",
    [
        document(TEXT),
        says(HEAD + b"\r\n", TEXT.encode()),
        says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *chunked(TEXT.encode(), 5)),
        says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunked(TEXT.encode(), 1))),
        says(*(bytes([byte]) for byte in HEAD + b"Content-Length: 2\r\n\r\n[]")),
        says(b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\n[]"),
    ],
    ids=["length", "end", "chunks", "chunks at once", "byte by byte", "an interim answer"],
)
def test_a_document_is_read_whole_however_it_comes(say: Say, engine: EngineSocket) -> None:
    assert document_of(engine, say) in ({"some": ["thing", "ü"]}, [])


def test_lines_of_json_are_documents_and_empty_ones_are_not(engine: EngineSocket) -> None:
    for said, found in (('{"a": 1}\n\n{"b": 2}\n', [{"a": 1}, {"b": 2}]), ("", [])):
        with closing(ask(engine, document(said))) as answer:
            assert answer.documents() == found


def test_no_content_and_not_modified_are_answers(engine: EngineSocket) -> None:
    for status in (b"204 No Content", b"304 Not Modified"):
        with closing(ask(engine, says(b"HTTP/1.1 %s\r\n\r\n" % status))) as answer:
            assert answer.read() == b""


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "explanation"),
    [
        ('{"message": "no room"}', "no room"),
        ('{"cause": "disk", "message": "no room", "response": 500}', "no room"),
        ("  plain words\n", "plain words"),
        ('["a list"]', '["a list"]'),
        ('{"message": null}', '{"message": null}'),
        ('{"message": 5}', "5"),
        (b"\xff words", "\ufffd words"),
        ("", "Internal Server Error"),
    ],
)
def test_a_refusal_has_its_status_and_the_engines_reason(
    body: str | bytes, explanation: str, engine: EngineSocket
) -> None:
    with pytest.raises(ApiError) as caught:
        ask(engine, document(body, "500 Internal Server Error"))
    assert (caught.value.status_code, caught.value.explanation) == (500, explanation)
    assert type(caught.value) is ApiError


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("No such image: x:latest", ImageNotFoundError),
        ("pull access denied for x, repository does not exist or may require 'docker login'", ImageNotFoundError),
        ("No such container: x", NotFoundError),
        ("page not found", NotFoundError),
    ],
)
def test_an_image_that_is_missing_is_told_from_all_else(text: str, kind: type[ApiError], engine: EngineSocket) -> None:
    with pytest.raises(ApiError) as caught:
        ask(engine, document(text, "404 Not Found"))
    assert type(caught.value) is kind


def test_a_redirection_is_followed_nowhere(engine: EngineSocket) -> None:
    with pytest.raises(ApiError) as caught:
        ask(engine, says(b"HTTP/1.1 301 Moved Permanently\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"))
    assert caught.value.status_code == 301
    assert len(engine.asked) == 1


def test_of_a_refusal_without_end_little_is_read(engine: EngineSocket) -> None:
    def say(_: EngineSocket, peer: socket.socket, __: Asked) -> None:
        peer.sendall(b"HTTP/1.1 500 Oh\r\n\r\n")
        while True:  # until the reader hangs up
            peer.sendall(b"x" * 65536)

    with pytest.raises(ApiError) as caught:
        ask(engine, say)
    assert caught.value.explanation == "x" * 65536


# --- no proper answer ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "say",
    [
        silent_after(),
        silent_after(b"HTTP/1.1 20"),
        silent_after(HEAD + b"Content-Type: application/json\r\n"),
        silent_after(HEAD + b"Content-Length: 5\r\n\r\n{"),
        silent_after(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
    ],
    ids=["nothing", "half a line", "half a head", "half a body", "no last chunk"],
)
def test_an_answer_that_does_not_come_is_a_timeout(say: Say, engine: EngineSocket) -> None:
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        document_of(engine, say, timeout=WAIT)
    assert WAIT / 2 < time.monotonic() - begin < 5.0


@pytest.mark.parametrize(
    "say",
    [
        says(),
        says(b"HTTP/1.1 20"),
        says(HEAD + b"Content-Length: 5\r\n\r\n{"),
        says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"),
        says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"),
        says(HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n"),
        document("this is not JSON"),
        document(b"\xff\xfe"),
        document(""),
        says(b"SSH-2.0-OpenSSH_9.2\r\n"),
        says(b"\x00\x01\xff\n\n\n"),
        says(b"HTTP/1.1 abc\r\n\r\n"),
        says(b"HTTP/9.9 200 OK\r\n\r\n{}"),
        says(b"HTTP/1.1 200 " + b"x" * 100_000),
        says(HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n{}"),
        says(HEAD + b"".join(b"X%d: x\r\n" % number for number in range(1000)) + b"\r\n{}"),
    ],
    ids=[
        *("nothing", "half a line", "short body", "short chunk", "no last chunk", "odd chunk"),
        *("no JSON", "no text", "empty", "another protocol", "bytes", "odd status", "odd version"),
        *("endless line", "endless header", "many headers"),
    ],
)
def test_an_end_in_the_middle_and_garbage_are_connections_that_failed(say: Say, engine: EngineSocket) -> None:
    with pytest.raises(ConnectionError):
        document_of(engine, say)


@given(
    pieces=st.lists(
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from([HEAD, UPGRADED, b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 ", b"404", b"\r\n", b"\r\n\r\n"]),
            st.sampled_from([b"Content-Length: 3", b"Content-Length: -9", b"Connection: close\r\n"]),
            st.sampled_from([b"Transfer-Encoding: chunked", b"1\r\n[", b"-1\r\n"]),
        ),
        max_size=8,
    )
)
def test_whatever_comes_no_other_error_is_raised(pieces: list[bytes]) -> None:
    with (
        TemporaryDirectory() as folder,
        EngineSocket(Path(folder) / "s") as engine,
        suppress(ApiError, OSError),
    ):
        document_of(engine, says(b"".join(pieces)))


def test_an_engine_that_is_not_there_is_told_as_the_system_tells_it(tmp_path: Path) -> None:
    request = Request("GET", "/it", {})
    with pytest.raises(FileNotFoundError):
        send(f"{tmp_path}/none.sock", request, 10.0)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"{tmp_path}/deaf.sock")
        with pytest.raises(ConnectionRefusedError):
            send(f"{tmp_path}/deaf.sock", request, 10.0)
    with pytest.raises(OSError, match="too long"):
        send(f"{tmp_path}/{'x' * 200}", request, 10.0)


# --- streams ------------------------------------------------------------------------------------------------------


def frame(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


@pytest.mark.parametrize("head", [UPGRADED, HEAD + b"\r\n", b"HTTP/1.0 200 OK\r\n\r\n"], ids=["101", "200", "HTTP/1.0"])
def test_bytes_that_come_along_with_the_headers_are_not_lost(head: bytes, engine: EngineSocket) -> None:
    first, second = frame(1, b"at once"), frame(2, b"later")
    answer = ask(engine, says(head + first + second[:5], second[5:]), upgrade=True)
    assert list(frames(answer.raw)) == [Output(1, b"at once"), Output(2, b"later")]
    answer.close()


def test_a_connection_that_was_taken_over_goes_both_ways(engine: EngineSocket) -> None:
    def echo(_: EngineSocket, peer: socket.socket, __: Asked) -> None:
        peer.sendall(UPGRADED)
        said = b""
        while data := peer.recv(100):
            said += data
        peer.sendall(said[::-1])

    answer = ask(engine, echo, upgrade=True)
    assert engine.asked[0].headers["upgrade"] == "tcp"
    answer.write(b"abc")
    answer.end_input()
    assert answer.raw(100) == b"cba"
    assert answer.raw(100) == b""
    answer.close()
    with pytest.raises(OSError, match=r"."):
        answer.write(b"more")


def test_silence_is_no_error_once_it_may_last(engine: EngineSocket) -> None:
    answer = ask(engine, says(UPGRADED, *[b""] * 40, b"after a while"), timeout=WAIT, upgrade=True)
    answer.wait_for_ever()
    assert answer.raw(100) == b"after a while"
    answer.close()


@pytest.mark.parametrize("end", ["hang_up", "close"])
@pytest.mark.parametrize("head", [UPGRADED, HEAD + b"\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"])
def test_a_reader_is_let_go_from_another_thread(head: bytes, end: str, engine: EngineSocket) -> None:
    answer = ask(engine, silent_after(head), upgrade=True)
    answer.wait_for_ever()
    read: list[bytes] = []
    reader = Thread(target=lambda: read.append(answer.raw(100)))
    reader.start()
    time.sleep(0.05)

    getattr(answer, end)()
    reader.join(5.0)

    assert read == [b""]
    answer.close()
    answer.close()
    assert answer.closed
    assert answer.raw(100) == b""


def test_a_stream_of_chunks_gives_exactly_so_many_bytes_and_tells_a_cut(engine: EngineSocket) -> None:
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = ask(engine, says(head, *chunked(b"0123456789", 3)))
    assert [answer.read(4), answer.read(4), answer.read(4), answer.read(4)] == [b"0123", b"4567", b"89", b""]
    answer.close()

    cut = ask(engine, says(head, *chunked(b"0123456789", 3)[:2]))
    assert cut.read(4) == b"0123"
    with pytest.raises(ConnectionError):
        cut.read(4)
    cut.close()
