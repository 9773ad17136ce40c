"""A kept activity, `activity.jsonl`, shown as it was when the agent worked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from pydantic import TypeAdapter, ValidationError

from runner.cli.live import LiveView
from runner.model.activity import Activity, Answered, Said

ACTIVITIES: TypeAdapter[Activity] = TypeAdapter(Activity)
MOST_LINE = 16 * 1024 * 1024
"""Bytes; a longer line is none that Paddock wrote, and is not kept in memory."""


class Lines:
    """Takes a file in pieces, cut anywhere, and hands on the lines that are whole."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._line = bytearray()

    def feed(self, data: bytes) -> None:
        """Hand on the lines that are whole by now."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._line += piece
            line = bytes(self._line)
            self._line.clear()
            self._take(line)
        if len(self._line) <= MOST_LINE:
            self._line += rest


class Player:
    """Takes the file in pieces, cut anywhere. A line that is no activity is left out."""

    def __init__(self, stream: TextIO, *, fancy: bool) -> None:
        self._view = LiveView(stream, fancy=fancy)
        self._lines = Lines(self._show)

    def feed(self, data: bytes) -> None:
        """Show the lines that are whole by now."""
        self._lines.feed(data)

    def _show(self, line: bytes) -> None:
        activity = activity_of(line)
        if isinstance(activity, Answered):
            if activity.text.strip() == self._view.last_words:
                return
            activity = Said(text=activity.text)
        if activity is not None:
            self._view.activity(activity)


def activity_of(line: bytes) -> Activity | None:
    """What a line of `activity.jsonl` says; `None` for one that says nothing."""
    try:
        return ACTIVITIES.validate_json(line)
    except ValidationError:
        return None
