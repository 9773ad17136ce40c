"""What Docker has kept of a container's output: read from the start and followed, for whoever was not there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial

from runner.sandbox.docker_api import EngineApi
from runner.sandbox.docker_http import Answer, ApiError
from runner.sandbox.docker_streams import frames
from runner.sandbox.engine import Output, Times

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d) ")


def open_kept(client: EngineApi, container: str) -> KeptOutput:
    """All of a container's output, from its start on."""
    answer = client.logs(container, follow=True)
    answer.wait_for_ever()  # a silent agent is not a broken connection: the idle limit is the watchdog's
    return KeptOutput(answer, partial(client.logs, container))


class KeptOutput:
    """A connection that gives a container's output, as far as it is kept; `answer` is what to hang up."""

    def __init__(self, answer: Answer, ask_again: Callable[[], Answer]) -> None:
        self.answer = answer
        self._ask_again = ask_again
        self._cut_off = False

    def _read(self, size: int) -> bytes:
        """Exactly so many bytes, but for the end, and for a connection that was cut off."""
        try:
            return self.answer.read(size)
        except (OSError, ValueError, AttributeError):  # the latter two where another thread has just closed it
            self._cut_off = True
            return b""

    def pieces(self) -> Iterator[Output]:
        """Piece by piece, each with its age."""
        told = dict.fromkeys((0, 1, 2), 0)
        for piece in map(_dated, frames(self._read)):
            told[piece.stream] += len(piece.data)
            yield piece
        hung_up = self._cut_off or self.answer.closed
        self.answer.close()
        if not hung_up:
            yield from self._rest(told)

    def _rest(self, told: dict[int, int]) -> Iterator[Output]:
        """What is missing: an engine that follows may let go when the container ends, before it has told everything."""
        with suppress(ApiError, OSError), closing(self._ask_again()) as answer:
            for stream, data, age in map(_dated, frames(answer.read)):
                new = data[told[stream] :]
                told[stream] -= len(data) - len(new)
                if new:
                    yield Output(stream, new, age)


def times_of(client: EngineApi, container: str) -> Times:
    """See `Box.times`; by the engine's wall clock."""
    state = client.inspect_container(container)["State"]
    begun, ended = (_seconds(state.get(name) or "") for name in ("StartedAt", "FinishedAt"))
    if begun <= 0.0:
        return Times(ran=0.0, silent=0.0)  # it never began
    # A container that ends at once may have ended, by the engine's clock, before it counts as begun.
    until = time.time() if state.get("Running") or ended <= 0.0 else max(begun, ended)
    with closing(client.logs(container, tail="1")) as answer:
        last = b"".join(piece.data for piece in frames(answer.read))
    found = _STAMP.match(last.splitlines()[-1] + b" ") if last.strip() else None
    heard = max(begun, _seconds(found[0].decode().strip())) if found else begun  # its clocks differ by a little
    return Times(ran=max(0.0, until - begun), silent=max(0.0, until - heard))


def _dated(piece: Output) -> Output:
    """A piece without its time stamp; one without a stamp is the rest of a long one, or another engine's."""
    found = _STAMP.match(piece.data)
    if found is None:
        return piece
    age = max(0.0, time.time() - _seconds(found[0].decode().strip()))
    return Output(piece.stream, piece.data[found.end() :], age)


def _seconds(text: str) -> float:
    """Docker's time, to the nanosecond, as seconds since 1970; 0 for what is none, as a container that never began."""
    found = _STAMP.match(text.encode() + b" ")
    if found is None:
        return 0.0
    whole, fraction, zone = (part.decode() if part else "" for part in found.groups())
    moment = datetime.fromisoformat(whole + zone.replace("Z", "+00:00"))
    return moment.astimezone(UTC).timestamp() + float(fraction or 0)
