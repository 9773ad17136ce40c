"""Where a request's body ends, however its bytes arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress.http_body import Body, ChunkedBody, SizedBody, body_of
from runner.egress.http_head import HeadError


def feed(body: Body, data: bytes, step: int) -> int:
    taken = 0
    for at in range(0, len(data), step):
        piece = data[at : at + step]
        taken += (count := body.take(piece))
        if count < len(piece):
            break
    return taken


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.integers(1, 50), st.booleans())
def test_a_chunked_body_ends_with_its_last_byte(chunks: list[bytes], step: int, trailer: bool) -> None:
    data = b"".join(b"%x;a=b\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    data += b"0\r\n" + (b"X-Sum: 1\r\n" if trailer else b"") + b"\r\n"
    body = ChunkedBody()
    assert feed(body, data + b"GET /next", step) == len(data)
    assert body.ended


@pytest.mark.parametrize(
    "data",
    [b"g\r\n", b"-1\r\n", b"+1\r\n", b"0x1\r\n", b" 1\r\n", b"1\nx", b"\r\n", b"1\r\nxy\r\n", b"1\r\nx0\r\n\r\n",
     b"0\r\nbad trailer\r\n", b"0\r\n: x\r\n", b"f" * 13 + b"\r\n", b"1;" + b"x" * 9000, b"1;a\rb\r\n", b"1;a\0\r\n"],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 10_000])
def test_a_chunk_that_could_be_read_in_two_ways_is_refused(data: bytes, step: int) -> None:
    with pytest.raises(HeadError, match=r"chunk|line feed|trailer"):
        feed(ChunkedBody(), data, step)


@given(st.integers(0, 200), st.integers(1, 50))
def test_a_sized_body_ends_after_so_many_bytes(length: int, step: int) -> None:
    body = SizedBody(length)
    assert feed(body, bytes(length + 7), step) == length
    assert body.ended


def test_a_head_says_which_body_follows() -> None:
    assert body_of(0).ended
    assert not body_of(None).ended
