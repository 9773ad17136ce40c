"""The one place that asks the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one for deadlines, which never jumps, and one for people."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, the same for every process until the machine stops; never goes back."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()

    def now(self) -> datetime:
        """See `Clock.now`."""
        return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """`2026-11-20T23:01:02.345Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
