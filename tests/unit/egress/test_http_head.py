"""Request heads that can be read in one way only, and the many that cannot."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress.http_head import MAX_HEAD, Head, HeadError, parse_head


def request(*lines: str, first: str = "GET / HTTP/1.1", host: str | None = "a.test") -> bytes:
    every = [first, *([f"Host: {host}"] if host is not None else []), *lines, "", ""]
    return "\r\n".join(every).encode("latin-1")


def head(data: bytes) -> Head:
    found = parse_head(data)
    assert found is not None
    return found


def test_a_plain_request_is_read() -> None:
    data = request("Content-Length: 12", "X-Y:  z ", first="POST /a?b HTTP/1.1", host="A.Test.:80")
    found = head(data + b"hello")
    assert (found.method, found.target, found.host, found.port, found.body) == ("POST", "/a?b", "a.test", 80, 12)
    assert found.size == len(data)
    assert found.values("x-y") == [b"z"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (request(first="CONNECT b.test:443 HTTP/1.1"), "method CONNECT"),
        (request(first="TRACE / HTTP/1.1"), "method TRACE"),
        (request(first="PURGE / HTTP/1.1"), "method PURGE"),
        (request(first="GET http://b.test/ HTTP/1.1"), "no path"),
        (request(first="GET ftp://b.test/ HTTP/1.1"), "no path"),
        (request(first="GET urn:x HTTP/1.1"), "no path"),
        (request(first="GET cache_object://localhost/ HTTP/1.1"), "no path"),
        (request(first="GET //b.test/ HTTP/1.1"), "no path"),
        (request(first="GET * HTTP/1.1"), "no path"),
        (request(first="GET b.test HTTP/1.1"), "no path"),
        (request(first="GET /a\\b HTTP/1.1"), "backslash"),
        (request(first="GET /a\tb HTTP/1.1"), "control character"),
        (request(first="GET /a\0b HTTP/1.1"), "control character"),
        (request(first="GET  / HTTP/1.1"), "not HTTP/1"),
        (request(first="GET / HTTP/2.0"), "not HTTP/1"),
        (request(first="GET /"), "not HTTP/1"),
        (request(first="PRI * HTTP/2.0"), "not HTTP/1"),
        (request(first="get / HTTP/1.1"), "not HTTP"),
        (request(host=None), "no Host"),
        (request("host: a.test"), "more than one Host"),
        (request("HOST: b.test"), "more than one Host"),
        (request(host="a.test, b.test"), "Host header that is no name"),
        (request(host="u@a.test"), "Host header that is no name"),
        (request(host="a.test/b"), "Host header that is no name"),
        (request(host="a.test:"), "Host header that is no name"),
        (request(host="[::1]"), "Host header that is no name"),
        (request(host=""), "Host header that is no name"),
        (request("X y: z"), "malformed header"),
        (request("Host : b.test"), "malformed header"),
        (request(" folded"), "malformed header"),
        (request("no colon"), "malformed header"),
        (request(": empty"), "malformed header"),
        (request("X: a\rb"), "control character"),
        (request("X: a\0b"), "control character"),
        (request("Content-Length: 1", "Content-Length: 2"), "body's length"),
        (request("Content-Length: 1", "Transfer-Encoding: chunked"), "body's length"),
        (request("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), "body's length"),
        (request("Transfer-Encoding: gzip, chunked"), "transfer coding"),
        (request("Transfer-Encoding: xchunked"), "transfer coding"),
        (request("Transfer-Encoding: chunked", first="GET / HTTP/1.0"), "transfer coding"),
        (request("Content-Length: +1"), "malformed Content-Length"),
        (request("Content-Length: 0x1"), "malformed Content-Length"),
        (request("Content-Length: 1, 1"), "malformed Content-Length"),
        (request("Content-Length: "), "malformed Content-Length"),
        (
            request("Upgrade: websocket", "Connection: upgrade", "Content-Length: 3"),
            "body with a request for a websocket",
        ),
        (request(*(f"x: {number}" for number in range(201))), "too many headers"),
        (b"GET / HTTP/1.1\nHost: a.test\n\n", "bare line feed"),
        (b"GET / HTTP/1.1\r\nHost: a.test\nX: y\r\n\r\n", "control character|Host header|bare"),
        (b"\x16\x03\x01", "not HTTP"),
        (b"\r\nGET / HTTP/1.1\r\n", "not HTTP"),
        (b"A" * (MAX_HEAD + 1), "too long"),
    ],
)
def test_what_two_programs_could_read_in_two_ways_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(HeadError, match=why):
        parse_head(data)


def test_what_proxies_say_and_offers_of_other_protocols_are_left_out() -> None:
    spoofs = ("X-Forwarded-Host: b.test", "Forwarded: host=b.test", "Proxy-Authorization: x", "X-Original-URL: /admin")
    found = head(request("Accept: */*", *spoofs, "Upgrade: h2c", "HTTP2-Settings: AAA", "Connection: keep-alive"))
    assert found.passed_on() == request("Accept: */*", "Connection: keep-alive")
    websocket = request("Connection: keep-alive, Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Version: 13")
    assert head(websocket).asks_for_websocket
    assert head(websocket).passed_on() == websocket
    assert not head(request("Upgrade: websocket, h2c", "Connection: upgrade")).asks_for_websocket


@given(st.integers(0, 60))
def test_a_head_that_is_cut_is_not_judged_yet(cut: int) -> None:
    data = request("Accept: */*", "X-Long: some words")
    assert parse_head(data[:cut]) is None


HEADER = st.tuples(st.from_regex(rb"[A-Za-z-]{1,8}", fullmatch=True), st.binary(max_size=12))


@given(st.lists(HEADER, max_size=5), st.binary(max_size=10))
def test_what_is_passed_on_is_read_as_the_same_request(headers: list[tuple[bytes, bytes]], path: bytes) -> None:
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    try:
        found = parse_head(b"GET /" + path + b" HTTP/1.1\r\nHost: a.test\r\n" + lines + b"\r\n")
    except HeadError:
        return
    if found is None:
        return
    again = head(found.passed_on())
    assert (again.method, again.target, again.host, again.body) == (found.method, found.target, "a.test", found.body)
    assert again.passed_on() == found.passed_on()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_a_refusal_or_not_enough(data: bytes) -> None:
    with contextlib.suppress(HeadError):
        found = parse_head(data)
        assert found is None or data[: found.size].endswith(b"\r\n\r\n")
