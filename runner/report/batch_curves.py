"""Two curves below a batch's timeline: CPUs and memory, granted to its sandboxes and used by the machine. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from runner.model.batch_report import TaskFacts, UsagePoint
from runner.report.batch_axis import Axis, seconds_of
from runner.report.markup import Markup, element
from runner.report.network import amount

CHART = 84.0
"""The height of one curve, with the space above it."""
ABOVE = 26.0
MOST_POINTS = 400
LATE = 5.0
"""Seconds after a sandbox's end in which a point still counts to it."""
MOST_GAP = 4
"""With so many times the usual time between two points, there is no line between them."""
Span = tuple[TaskFacts, float, float]
"""A task whose sandbox was there, from and until."""


class Curve(NamedTuple):
    """What is drawn, and in which words."""

    name: str
    granted: Callable[[TaskFacts], float]
    used: Callable[[UsagePoint], float]
    most: Callable[[UsagePoint], float]
    worded: Callable[[float], str]


CURVES = (
    Curve("CPUs", lambda task: task.cpus, lambda point: point.busy, lambda point: point.cpus, lambda n: f"{n:.3g}"),
    Curve(
        "memory",
        lambda task: task.memory,
        lambda point: point.used,
        lambda point: point.memory,
        lambda n: amount(round(n)),
    ),
)


def charts(axis: Axis, spans: Sequence[Span], usage: Sequence[UsagePoint], top: float) -> Iterator[Markup]:
    """Both curves, one below the other."""
    points = list(_seen(axis, usage))
    for number, curve in enumerate(CURVES):
        yield from _chart(axis, curve, spans, points, top + number * CHART)


def _chart(
    axis: Axis, curve: Curve, spans: Sequence[Span], points: Sequence[tuple[int, UsagePoint]], top: float
) -> Iterator[Markup]:
    steps = list(_steps(curve, spans))
    values = [value for _, value in steps] + [curve.used(point) for _, point in points]
    highest = max(values) or 1.0
    floor, height = top + CHART, CHART - ABOVE
    left, right = axis.pieces[0].left, axis.pieces[-1].right

    def y(value: float) -> float:
        return floor - value / highest * height

    area = [f"{left:.1f},{floor:.1f}"]
    for (moment, value), (until, _) in pairwise([*steps, (axis.pieces[-1].ended, 0.0)]):
        area += [f"{axis.place(at):.1f},{y(value):.1f}" for at in (moment, until)]
    yield element("polygon", points=" ".join([*area, f"{right:.1f},{floor:.1f}"]), class_="granted")
    for _, group in groupby(points, lambda each: each[0]):
        places = [f"{axis.place(seconds_of(point.at)):.1f},{y(curve.used(point)):.1f}" for _, point in group]
        yield element("polyline", points=" ".join(places), class_="used")
    yield element("line", x1=left, y1=floor, x2=right, y2=floor, class_="floor")
    yield element("text", curve.name, x=0, y=top + ABOVE + 8, class_="label")
    told = [f"granted {curve.worded(max(value for _, value in steps))}"]
    if points:
        most = max(curve.most(point) for _, point in points)
        used = max(curve.used(point) for _, point in points)
        told.append(f"used {curve.worded(used)} of {curve.worded(most)}")
    for line, text in enumerate(told):
        yield element("text", text, x=0, y=top + ABOVE + 24 + 14 * line, class_="tick")


def _steps(curve: Curve, spans: Sequence[Span]) -> Iterator[tuple[float, float]]:
    """What was granted from each moment on."""
    changes = sorted(
        change
        for task, began, ended in spans
        for change in ((began, curve.granted(task)), (ended, -curve.granted(task)))
    )
    total = 0.0
    for moment, group in groupby(changes, lambda change: change[0]):
        total += sum(value for _, value in group)
        yield moment, max(0.0, total)


def _seen(axis: Axis, usage: Sequence[UsagePoint]) -> Iterator[tuple[int, UsagePoint]]:
    """The points that lie in a piece of the axis, every so-manieth of too many; each with the number of its line.

    A line ends with its piece, and where nobody measured for a while.
    """
    points = usage[:: -(-len(usage) // MOST_POINTS) or 1]
    times = [seconds_of(point.at) for point in points]
    gaps = sorted(later - earlier for earlier, later in pairwise(times))
    longest = MOST_GAP * gaps[len(gaps) // 2] if gaps else 0.0
    line, before, there = 0, 0.0, -1
    for at, point in zip(times, points, strict=True):
        piece = next((number for number, each in enumerate(axis.pieces) if each.began <= at <= each.ended + LATE), -1)
        line += piece != there or at - before > longest
        before, there = at, piece
        if piece >= 0:
            yield line, point
