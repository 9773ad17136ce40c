"""The kept output of a container: what a follower was not told is asked for again, what was cut off is not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from runner.sandbox.docker_api import EngineApi
from runner.sandbox.docker_logs import open_kept, times_of
from tests.unit.sandbox.engine_socket import EngineSocket, Say, document, says, silent_after

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
STAMP = b"2026-11-20T10:00:00.000000001Z "


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineSocket]:
    with EngineSocket(tmp_path / "engine.sock") as engine:
        yield engine


def frame(stream: int, text: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + (len(STAMP) + len(text)).to_bytes(4, "big") + STAMP + text


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


ALL = frame(1, b"one\n") + frame(2, b"two\n") + frame(1, b"three\n")


def followed_by(first: Say, then: Say) -> Say:
    """Say one thing to who follows, and another to who does not."""

    def say(engine: EngineSocket, peer: object, asked: object) -> None:
        follows = "follow=1" in engine.targets()[-1]
        (first if follows else then)(engine, peer, asked)  # type: ignore[arg-type]

    return say


def heard(engine: EngineSocket, say: Say) -> list[tuple[int, bytes]]:
    engine.answers["/containers/c/logs"] = say
    kept = open_kept(EngineApi(engine.address), "c")
    try:
        return [(stream, data) for stream, data, _ in kept.pieces()]
    finally:
        kept.answer.close()


def test_what_a_follower_was_not_told_is_asked_for_once_more(engine: EngineSocket) -> None:
    early = says(CHUNKED, chunk(frame(1, b"one\n")), b"0\r\n\r\n")
    assert heard(engine, followed_by(early, document(ALL))) == [(1, b"one\n"), (2, b"two\n"), (1, b"three\n")]
    assert [("follow=1" in target) for target in engine.targets()] == [True, False]


def test_pieces_stay_whole_however_they_are_sent(engine: EngineSocket) -> None:
    chunks = [chunk(ALL[begin : begin + 7]) for begin in range(0, len(ALL), 7)]
    found = heard(engine, followed_by(says(CHUNKED, *chunks, b"0\r\n\r\n"), document(ALL)))
    assert found == [(1, b"one\n"), (2, b"two\n"), (1, b"three\n")]


def test_a_connection_that_was_cut_off_is_the_end_for_now(engine: EngineSocket) -> None:
    assert heard(engine, says(CHUNKED, chunk(frame(1, b"one\n") + frame(2, b"two\n")[:9]))) == [(1, b"one\n")]
    assert len(engine.targets()) == 1


def test_who_hangs_up_from_another_thread_ends_it_and_nothing_is_asked_again(engine: EngineSocket) -> None:
    engine.answers["/containers/c/logs"] = silent_after(CHUNKED, chunk(frame(1, b"one\n")))
    kept = open_kept(EngineApi(engine.address), "c")
    pieces = kept.pieces()
    assert next(pieces).data == b"one\n"
    rest: list[object] = []
    reader = Thread(target=lambda: rest.extend(pieces))
    reader.start()
    time.sleep(0.05)

    kept.answer.close()
    reader.join(5.0)

    assert (rest, reader.is_alive()) == ([], False)
    assert len(engine.targets()) == 1


def test_the_last_line_tells_how_long_it_was_silent(engine: EngineSocket) -> None:
    state = '{"State": {"StartedAt": "2026-11-20T09:59:50Z", "FinishedAt": "2026-11-20T10:00:30Z", "Running": false}}'
    engine.answers |= {"/containers/c/json": document(state), "/containers/c/logs": document(frame(1, b"last\n"))}
    times = times_of(EngineApi(engine.address), "c")
    assert (times.ran, round(times.silent, 3)) == (40.0, 30.0)
    assert "tail=1" in engine.targets()[-1]
