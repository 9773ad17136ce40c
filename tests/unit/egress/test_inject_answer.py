"""What comes back from a server that was given a credential holds it nowhere, and is otherwise what the server said."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.egress.http_head import HeadError
from runner.egress.inject_answer import MOST_WAITING, Answers

KEY = "sk-0123456789"
STARS = b"*" * len(KEY)
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def answers(*methods: str) -> Answers:
    new = Answers([KEY])
    for method in methods or ("GET",):
        new.asked(method)
    return new


def in_pieces(data: bytes, step: int, *methods: str, end: bool = True) -> bytes:
    reader = answers(*methods)
    shown = b"".join(reader.incoming(data[at : at + step]) for at in range(0, len(data), step))
    return shown + (reader.end() if end else b"")


def content(data: bytes) -> bytes:
    """Of a chunked answer, read as a client does."""
    out, rest = b"", data.partition(b"\r\n\r\n")[2]
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            assert rest == b"\r\n"
            return out
        out, rest = out + rest[: int(size, 16)], rest[int(size, 16) + 2 :]


def chunks(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@given(st.lists(st.sampled_from([KEY.encode(), b"sk-0", b"x", b"\n"]), max_size=8), st.integers(1, 60))
def test_a_body_of_a_known_length_keeps_it(parts: list[bytes], step: int) -> None:
    body = b"".join(parts) + b"."
    head = SIZED % len(body)
    assert in_pieces(head + body, step) == head + body.replace(KEY.encode(), STARS)


@given(st.lists(st.integers(1, 40), max_size=12), st.integers(1, 60))
def test_a_key_that_is_split_between_chunks_is_one_key(cuts: list[int], step: int) -> None:
    body = b"<" + KEY.encode() + b">" + KEY.encode() + b"."
    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    data = CHUNKED + chunks(*(body[a:b] for a, b in itertools.pairwise(edges)))
    assert content(in_pieces(data, step)) == b"<" + STARS + b">" + STARS + b"."


def test_one_letter_in_a_chunk_of_its_own_is_seen_too() -> None:
    data = CHUNKED + chunks(*(bytes([letter]) for letter in KEY.encode()))
    assert content(in_pieces(data, len(data))) == STARS


@given(st.integers(1, 60))
def test_a_head_is_masked_and_keeps_what_frames_the_body(step: int) -> None:
    head = f"HTTP/1.1 401 {KEY}\r\nX-Echo: a{KEY}b\r\nSet-Cookie: k={KEY}\r\nContent-Length: 0\r\n\r\n".encode()
    assert in_pieces(head, step) == head.replace(KEY.encode(), STARS)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    assert in_pieces(head + KEY.encode() + b"sk-0", 7) == head + STARS + b"sk-0"


@pytest.mark.parametrize("head", [SIZED % 1000, CHUNKED, b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_key_that_is_cut_off_is_masked_as_far_as_it_came(head: bytes) -> None:
    piece = KEY.encode()[:-1]
    body = b"%x\r\n%s\r\n" % (len(piece), piece) if head is CHUNKED else piece
    assert in_pieces(head + body, 1000).count(b"*") == len(piece)


def test_an_event_passes_before_the_next_one_comes() -> None:
    reader = answers()
    assert reader.incoming(CHUNKED + b"b\r\ndata: one\n\n\r\n").endswith(b"data: one\n\n\r\n")
    assert reader.incoming(b"b\r\ndata: two\n\n\r\n") == b"b\r\ndata: two\n\n\r\n"
    assert reader.waiting


def test_answers_are_told_apart_by_what_was_asked() -> None:
    head = SIZED % 5
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    nothing = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
    data = head + interim + head + b"hello" + nothing + head + b"again"
    reader = answers("HEAD", "POST", "GET", "GET")
    assert reader.incoming(data) == data
    assert not reader.waiting


def test_trailers_are_left_out() -> None:
    data = (
        CHUNKED.replace(b"\r\n\r\n", b"\r\nTrailer: X-Key\r\n\r\n")
        + b"1\r\nx\r\n0\r\nX-Key: "
        + KEY.encode()
        + b"\r\n\r\n"
    )
    assert in_pieces(data, 3) == CHUNKED + b"1\r\nx\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"SSH-2.0-x\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n", "another protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", "compressed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "transfer coding"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", "more than one word"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "more than one word"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nX: 1\r\n sk-012\r\n\r\n", "malformed header"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 70_000, "too long"),
        (CHUNKED + b"zz\r\n", "malformed chunk"),
    ],
)
def test_an_answer_that_could_be_read_in_two_ways_goes_no_further(data: bytes, why: str) -> None:
    with pytest.raises(HeadError, match=why):
        in_pieces(data, 1000)


def test_too_many_requests_at_once_are_refused() -> None:
    reader = answers(*["GET"] * MOST_WAITING)
    with pytest.raises(HeadError, match="too many requests"):
        reader.asked("GET")


@given(st.lists(st.binary(max_size=60) | st.sampled_from([CHUNKED, SIZED % 9, KEY.encode(), b"1\r\n"]), max_size=8))
def test_whatever_a_server_sends_the_key_does_not_come_through(pieces: list[bytes]) -> None:
    reader, shown = answers(), b""
    try:
        for piece in pieces:
            shown += reader.incoming(piece)
        shown += reader.end()
    except HeadError:
        pass
    assert KEY.encode() not in shown
