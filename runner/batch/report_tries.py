"""Tells from a batch's events which tries there were: when each began and ended, as which run, and how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runner.batch.carry import events_file
from runner.model.batch_events import BatchEvent
from runner.model.batch_report import Try

Tries = dict[tuple[str, int], list[Try]]
"""By the name of the task and the attempt, oldest first."""


def tries_of(state: Path, batch: str) -> Tries:
    """All tries of a batch. One that an earlier process began and a later one took up is one try."""
    found: Tries = {}
    for event in events_in(events_file(state, batch)):
        if event.kind in {"began", "run", "ended", "again"}:
            tries = found.setdefault((event.task, event.attempt or 1), [])
            _add(tries, event)
    return found


def events_in(path: Path) -> Iterator[BatchEvent]:
    """Every event that can be read; a line that a crash cut short is left out."""
    try:
        with path.open("rb") as lines:
            for line in lines:
                try:
                    yield BatchEvent.model_validate_json(line)
                except ValueError:
                    continue
    except OSError:
        return


def _add(tries: list[Try], event: BatchEvent) -> None:
    if event.kind == "began":
        if not tries or tries[-1].ended_at or tries[-1].number != event.number:
            _end(tries, {"ended_at": event.at})
            tries.append(Try(attempt=event.attempt or 1, number=event.number, began_at=event.at))
    elif event.kind == "run":
        _end(tries, {"run": event.run})
    else:
        told = {"ended_at": event.at, "outcome": event.outcome, "reason": event.text, "run": event.run}
        _end(tries, {name: value for name, value in told.items() if value})


def _end(tries: list[Try], told: dict[str, str]) -> None:
    """What was heard of the last try, as long as it is under way."""
    if tries and not tries[-1].ended_at:
        tries[-1] = tries[-1].model_copy(update=told)
