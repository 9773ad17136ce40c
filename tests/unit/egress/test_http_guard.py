"""Every request on a connection is for its host, and a websocket is one only when the server says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress.http_guard import HttpGuard
from runner.egress.http_head import HeadError
from tests.unit.egress.test_http_head import request

WEBSOCKET = request("Upgrade: websocket", "Connection: Upgrade")
POST = request("Content-Length: 5", first="POST / HTTP/1.1")
CHUNKED = request("Transfer-Encoding: chunked", first="POST / HTTP/1.1") + b"3\r\nabc\r\n0\r\n\r\n"
STREAM = request() + POST + b"hello" + CHUNKED + request(host="a.test:80")


@given(st.integers(1, len(STREAM)))
def test_requests_in_a_row_are_passed_on_however_they_are_cut(step: int) -> None:
    guard = HttpGuard("a.test", 80)
    assert b"".join(guard.outgoing(STREAM[at : at + step]) for at in range(0, len(STREAM), step)) == STREAM
    assert not guard.within_head


@pytest.mark.parametrize("host", ["b.test", "a.test:8080", "a.test.evil.test", "sub.a.test"])
@pytest.mark.parametrize("before", [b"", request(), POST + b"hello", CHUNKED])
def test_a_request_for_another_host_is_refused_wherever_it_stands(before: bytes, host: str) -> None:
    guard = HttpGuard("a.test", 80)
    guard.outgoing(before)
    with pytest.raises(HeadError, match="Host header"):
        guard.outgoing(request(host=host))


def test_a_request_smuggled_into_one_piece_is_seen() -> None:
    with pytest.raises(HeadError, match="Host header"):
        HttpGuard("a.test", 80).outgoing(POST + b"hello" + request(host="b.test"))


def test_a_body_may_hold_what_looks_like_a_request() -> None:
    inner = request(host="b.test")
    outer = request(f"Content-Length: {len(inner)}", first="POST / HTTP/1.1") + inner
    assert HttpGuard("a.test", 80).outgoing(outer) == outer


def test_a_begun_head_is_held_back() -> None:
    guard = HttpGuard("a.test", 80)
    assert guard.outgoing(b"GET / HT") == b""
    assert guard.within_head


def test_after_the_server_switched_anything_goes() -> None:
    guard = HttpGuard("a.test", 80)
    assert guard.outgoing(WEBSOCKET) == WEBSOCKET
    guard.incoming(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 10")
    guard.incoming(b"1 Switching Protocols\r\nUpgrade: websocket\r\n\r\nframes")
    assert guard.outgoing(b"\x81\x00") == b"\x81\x00"


def test_a_refused_websocket_leaves_the_guard_on() -> None:
    guard = HttpGuard("a.test", 80)
    guard.outgoing(WEBSOCKET)
    guard.incoming(b"HTTP/1.1 426 No\r\n\r\n")
    with pytest.raises(HeadError, match="Host header"):
        guard.outgoing(request(host="b.test"))


def test_bytes_before_the_answer_are_refused() -> None:
    guard = HttpGuard("a.test", 80)
    with pytest.raises(HeadError, match="before the websocket was answered"):
        guard.outgoing(WEBSOCKET + request(host="b.test"))


def test_a_websocket_on_a_used_connection_is_refused() -> None:
    guard = HttpGuard("a.test", 80)
    guard.outgoing(request())
    with pytest.raises(HeadError, match="later request"):
        guard.outgoing(WEBSOCKET)


@pytest.mark.parametrize("answer", [b"SSH-2.0\r\n\r\n", b"x" * 70_000])
def test_an_answer_that_is_no_http_ends_it(answer: bytes) -> None:
    guard = HttpGuard("a.test", 80)
    guard.outgoing(WEBSOCKET)
    with pytest.raises(HeadError, match="an answer that is not HTTP"):
        guard.incoming(answer)


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_whatever_is_passed_on_was_a_request_for_the_host(pieces: list[bytes]) -> None:
    guard = HttpGuard("a.test", 80)
    try:
        passed = b"".join(guard.outgoing(piece) for piece in pieces)
    except HeadError:
        return
    assert not passed or b"Host: a.test" in passed
