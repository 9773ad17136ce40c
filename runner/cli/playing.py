"""A kept activity, `activity.jsonl`, shown as it was when the agent worked."""

from __future__ import annotations

from typing import TextIO

from pydantic import TypeAdapter, ValidationError

from runner.cli.live import LiveView
from runner.model.activity import Activity, Answered, Said

MOST_LINE = 16 * 1024 * 1024
"""Bytes; a longer line is none that Paddock wrote, and is not kept in memory."""


class Player:
    """Takes the file in pieces, cut anywhere. A line that is no activity is left out."""

    def __init__(self, stream: TextIO, *, fancy: bool) -> None:
        self._view = LiveView(stream, fancy=fancy)
        self._activities: TypeAdapter[Activity] = TypeAdapter(Activity)
        self._line = bytearray()

    def feed(self, data: bytes) -> None:
        """Show the lines that are whole by now."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._line += piece
            self._show(bytes(self._line))
            self._line.clear()
        if len(self._line) <= MOST_LINE:
            self._line += rest

    def _show(self, line: bytes) -> None:
        try:
            activity = self._activities.validate_json(line)
        except ValidationError:
            return
        if isinstance(activity, Answered):
            if activity.text.strip() == self._view.last_words:
                return
            activity = Said(text=activity.text)
        self._view.activity(activity)
