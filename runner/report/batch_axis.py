"""Where a moment of a batch stands on the time axis of its report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
MOST_TICKS = 9
LONGEST_IDLE = 60.0
"""Seconds without a sandbox that are drawn as they are; more, if all of it takes long."""
BREAK = 28.0
"""The width of a break that stands for a longer time."""


class Piece(NamedTuple):
    """A time in which there were sandboxes, and where it is drawn."""

    began: float
    ended: float
    left: float
    right: float


@dataclass(frozen=True)
class Axis:
    """Moments in seconds of Unix time; the nights between a stop and a resume are taken out."""

    pieces: Sequence[Piece]

    @property
    def began(self) -> float:
        """The first moment."""
        return self.pieces[0].began

    def place(self, moment: float) -> float:
        """Where a moment stands; what is outside stands at the nearest edge."""
        for piece in self.pieces:
            if moment <= piece.ended:
                part = max(0.0, moment - piece.began) / ((piece.ended - piece.began) or 1.0)
                return piece.left + part * (piece.right - piece.left)
        return self.pieces[-1].right

    def ticks(self) -> Iterator[tuple[float, float]]:
        """Place and seconds since the beginning, at round times of each piece."""
        whole = sum(piece.ended - piece.began for piece in self.pieces)
        step = next((each for each in STEPS if whole / each <= MOST_TICKS), max(STEPS[-1], whole / MOST_TICKS))
        for piece in self.pieces:
            count = -int(-(piece.began - self.began) // step)
            while (at := self.began + count * step) <= piece.ended:
                yield self.place(at), count * step
                count += 1

    def breaks(self) -> Iterator[tuple[float, float, float]]:
        """Left and right of each time that was taken out, and how many seconds it stands for."""
        for one, other in pairwise(self.pieces):
            yield one.right, other.left, other.began - one.ended


def axis_of(spans: Iterable[tuple[float, float]], left: float, right: float) -> Axis:
    """An axis on which all of these are seen. At least one."""
    merged = list(_merged(sorted(spans), 0.0))
    whole = sum(ended - began for began, ended in merged)
    merged = list(_merged(merged, max(LONGEST_IDLE, whole / 2)))
    whole = sum(ended - began for began, ended in merged) or 1.0
    width = BREAK if (len(merged) - 1) * BREAK < (right - left) / 2 else (right - left) / 2 / len(merged)
    scale = (right - left - (len(merged) - 1) * width) / whole
    pieces, at = [], left
    for began, ended in merged:
        pieces.append(Piece(began, ended, at, at + (ended - began) * scale))
        at = pieces[-1].right + width
    return Axis(pieces)


def seconds_of(at: str) -> float:
    """A time as Unix time."""
    return datetime.fromisoformat(at).timestamp()


def _merged(spans: Iterable[tuple[float, float]], most: float) -> Iterator[tuple[float, float]]:
    """Spans in their order, with those in one that are at most so many seconds apart."""
    began = ended = None
    for first, last in spans:
        if began is None or ended is None:
            began, ended = first, last
        elif first - ended <= most:
            ended = max(ended, last)
        else:
            yield began, ended
            began, ended = first, last
    if began is not None and ended is not None:
        yield began, ended
