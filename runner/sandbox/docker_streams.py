"""Docker's streams of two outputs in one: how they are taken apart. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := read(size - len(data))):
        data += piece
    return data
