"""The timeline of a batch as SVG: a bar for each try, and below it what its sandboxes were granted and what was used.

It loads nothing and names no place but tasks of its own page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from runner.model.batch_report import BatchHead, TaskFacts, Try
from runner.report.batch_axis import Axis, axis_of, seconds_of
from runner.report.batch_curves import CHART, charts
from runner.report.batch_words import clock, kind_of, moment, period
from runner.report.markup import Markup, element, joined

WIDTH = 1000.0
LABELS = 190.0
EDGE = 8.0
ROW = 20.0
BAR = 13.0
LANE = 12.0
AXIS = 26.0
MOST_ROWS = 80
"""With more attempts than that, what ran side by side is drawn in as many rows as were needed at one time."""
MOST_LABEL = 28
LATE_LABEL = 50.0
"""So near to the right edge a label stands left of its line."""
NAMESPACE = "http://www.w3.org/2000/svg"


class Bar(NamedTuple):
    """One try, and where it is drawn."""

    task: TaskFacts
    told: Try
    again: bool
    """Whether another try followed."""
    began: float
    ended: float
    row: int


def timeline(head: BatchHead, facts: Sequence[TaskFacts]) -> Markup:
    """The picture; a sentence where nothing has begun."""
    tries = [
        (task, each, each is not attempt.tries[-1])
        for task in facts
        for attempt in task.attempts
        for each in attempt.tries
    ]
    if not tries:
        return element("p", "Nothing has begun.", class_="quiet")
    seen = [each.ended_at or each.began_at for _, each, _ in tries] + [point.at for point in head.usage[-1:]]
    last = max(map(seconds_of, seen))
    end = max(last, seconds_of(head.made_at)) if head.state == "running" else last
    spans = [(seconds_of(each.began_at), seconds_of(each.ended_at) if each.ended_at else end) for _, each, _ in tries]
    names = [name for task in facts for name in _names(task)]
    labelled = len(names) <= MOST_ROWS
    row = ROW if labelled else LANE
    axis = axis_of(spans, LABELS, WIDTH - EDGE)
    rows = _rows(facts) if labelled else _lanes(spans)
    bars = [Bar(*tried, *span, place) for tried, span, place in zip(tries, spans, rows, strict=True)]
    count = len(names) if labelled else max(rows) + 1
    height = AXIS + count * row
    pieces = [
        *_grid(axis, height + 2 * CHART),
        *_labels(names if labelled else [f"{len(tries)} runs, side by side"], row),
        *_waits(axis, bars, row),
        *(_bar(axis, bar, row) for bar in bars),
        *charts(axis, [(bar.task, bar.began, bar.ended) for bar in bars], head.usage, height),
    ]
    whole = height + 2 * CHART + 4
    return element(
        "svg", *pieces, xmlns=NAMESPACE, viewBox=f"0 0 {WIDTH:.0f} {whole:.0f}", role="img", aria_label="Timeline"
    )


def _names(task: TaskFacts) -> Iterator[str]:
    for each in task.attempts:
        yield task.name + (f" ({each.attempt})" if len(task.attempts) > 1 else "")


def _rows(facts: Sequence[TaskFacts]) -> list[int]:
    """A row for each attempt, in the order of the file."""
    attempts = [attempt for task in facts for attempt in task.attempts]
    return [row for row, attempt in enumerate(attempts) for _ in attempt.tries]


def _lanes(spans: Sequence[tuple[float, float]]) -> list[int]:
    """The first row that is free, for each."""
    free: list[float] = []
    lanes = [0] * len(spans)
    for number in sorted(range(len(spans)), key=lambda each: spans[each]):
        began, ended = spans[number]
        lane = next((lane for lane, until in enumerate(free) if until <= began), len(free))
        free[lane : lane + 1] = [ended]
        lanes[number] = lane
    return lanes


def _grid(axis: Axis, height: float) -> Iterator[Markup]:
    for place, seconds in axis.ticks():
        yield element("line", x1=place, y1=AXIS - 6, x2=place, y2=height, class_="grid")
        text = clock(seconds) if seconds == int(seconds) else f"{seconds:.1f} s"
        late = place > WIDTH - LATE_LABEL
        yield element("text", text, x=place - 3 if late else place + 3, y=13, class_="tick end" if late else "tick")
    for left, right, seconds in axis.breaks():
        yield element("rect", x=left, y=AXIS - 6, width=right - left, height=height - AXIS + 6, class_="break")
        middle = (left + right) / 2
        about = element("title", f"{period(seconds)} in which nothing ran")
        yield element("text", about, "⋯", x=middle, y=14, class_="tick middle")


def _labels(names: Sequence[str], row: float) -> Iterator[Markup]:
    for number, name in enumerate(names):
        text = name if len(name) <= MOST_LABEL else name[: MOST_LABEL - 1] + "…"
        middle = AXIS + number * row + row / 2 + 4
        yield element("text", element("title", name), text, x=0, y=middle, class_="label")


def _waits(axis: Axis, bars: Sequence[Bar], row: float) -> Iterator[Markup]:
    """A thin line from one try to the next of the same attempt."""
    for one, other in pairwise(bars):
        if (one.task.number, one.told.attempt) == (other.task.number, other.told.attempt) and one.row == other.row:
            middle = AXIS + one.row * row + row / 2
            yield element(
                "line", x1=axis.place(one.ended), y1=middle, x2=axis.place(other.began), y2=middle, class_="wait"
            )


def _bar(axis: Axis, bar: Bar, row: float) -> Markup:
    told = bar.told
    left, top = axis.place(bar.began), AXIS + bar.row * row
    width, thick = max(2.0, axis.place(bar.ended) - left), min(BAR, row - 2)
    word = told.outcome or "no end was seen"
    under_way = not told.ended_at and bar.task.state == "running"
    kind = "busy" if under_way else kind_of(told.outcome) if told.outcome else "halt"
    classes = f"bar {kind}{' again' if bar.again else ''}"
    y = top + (row - thick) / 2
    shape = element("rect", x=left, y=y, width=width, height=thick, rx=2, class_=classes)
    number = f", try {told.number}" if told.number > 1 or bar.again else ""
    sentence = f"{bar.task.name}{number}: {'running' if under_way else word}, {period(bar.ended - bar.began) or '0 s'}"
    tip = element("title", f"{sentence}, from {moment(told.began_at)}")
    mark = (
        element("text", str(told.number), x=left + 4, y=y + thick - 3, class_="number")
        if number and width > 14 and row >= ROW
        else Markup()
    )
    return element("a", joined(tip, shape, mark), href=f"#task-{bar.task.number}")
