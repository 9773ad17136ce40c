"""Lines from the shim, of which nothing is believed."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress.wire import MAX_LINE, Connect, Lookup, WireError, no_line, parse_line, ports_line


def test_the_two_lines_are_read() -> None:
    assert parse_line(b"LOOKUP a.test") == Lookup(name="a.test")
    assert parse_line(b"CONNECT a.test:443") == Connect(name="a.test", port=443)


@pytest.mark.parametrize(
    "line",
    [b"", b"LOOKUP", b"LOOKUP ", b"lookup a.test", b"LOOKUP a b", b"LOOKUP  a", b"LOOKUP a\r", b"LOOKUP a\0",
     b"LOOKUP \xff", b"CONNECT a.test", b"CONNECT :443", b"CONNECT a.test:", b"CONNECT a.test:0", b"CONNECT a.test:007",
     b"CONNECT a.test:-1", b"CONNECT a.test:+1", b"CONNECT a.test:99999", b"CONNECT a.test:65536", b"GET / HTTP/1.1",
     b"CONNECT a.test:443 x", b"CONNECT a.test:4_4", b"LOOKUP " + b"a" * 400],
)  # fmt: skip
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(WireError, match="malformed"):
        parse_line(line)


@given(st.binary(max_size=600))
def test_any_bytes_are_a_line_or_a_refusal(line: bytes) -> None:
    with contextlib.suppress(WireError):
        assert parse_line(line).name.isascii()


@given(st.lists(st.integers(1, 65535), max_size=300), st.text(max_size=900))
def test_answers_are_one_short_line(ports: list[int], reason: str) -> None:
    assert ports_line((22, 443)) == b"PORTS 22,443\n"
    assert len(ports_line(tuple(ports))) <= MAX_LINE
    assert len(no_line(reason)) <= MAX_LINE
