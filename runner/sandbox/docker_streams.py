"""Docker's connections that were taken over from HTTP: how their bytes are read, and how they are closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from runner.sandbox.engine import Output

HEADER = 8
PIECE = 64 * 1024


def frames(read: Callable[[int], bytes]) -> Iterator[Output]:
    """A multiplexed stream: a header of 8 bytes, then the payload; in pieces of at most 64 KiB.

    `read` gives at most as many bytes as it is asked for, and none at the end.
    """
    while len(header := _exactly(read, HEADER)) == HEADER:
        left = int.from_bytes(header[4:], "big")
        while left and (data := read(min(left, PIECE))):
            left -= len(data)
            yield Output(header[0], data)


def read_some(stream: Any, size: int) -> bytes:
    """What came; nothing when the connection has gone, as it does with an engine that restarts."""
    try:
        return b"" if stream.closed else stream.read(size) or b""
    except (OSError, ValueError):
        return b""


def hang_up(stream: Any) -> None:
    """Close an attached stream for good: closing the file alone would leave the SDK's connection open."""
    if not stream.closed:
        connection = stream._sock
        stream._response.close()
        stream.close()
        connection.close()


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := read(size - len(data))):
        data += piece
    return data
