"""The disk limits of a run: when its files are measured, so that a writer at full speed is caught in time.

A walk through a tree takes time; what a file system has left is known at once, and what it lost since the last walk is
the most that the agent can have added. So the free space is looked at all the time, and the tree is walked now and
then, and at once when the limit may have been passed. Where a walk takes long, the agent stands still meanwhile: it
could otherwise write gigabytes until the walk has ended.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from runner.clock import Clock
from runner.errors import PaddockError
from runner.model.policy import Limits
from runner.sandbox.engine import Box
from runner.store.tree import TreeSize

LOOK_EVERY = 0.05
NEAR_LOOK_EVERY = 0.01
"""Seconds between looks at the free space: as a rule, and when less than `SLACK` is left of the limit."""
MEASURE_EVERY = 1.0
MEASURE_SHARE = 4
"""A walk that took t seconds is not repeated before `MEASURE_SHARE` x t have passed, unless the limit is near."""
LONG_LOOK = 0.1
"""Seconds. The agent stands still in an urgent walk that takes longer, or in which it would write half of `SLACK`."""
MOST_FAILED_LOOKS = 30
"""So many walks in a row may fail; then the limits are not held any more, and the agent is stopped."""
REACTION = 0.15
"""Seconds that an engine needs to make an agent stand still: what it writes meanwhile counts as written."""
LEAST_FREE = 128 * 1024 * 1024
"""Free bytes on the host's disk below which an agent is stopped, whoever filled it."""

SLACK = 128 * 1024 * 1024
"""So many bytes may go before an agent stands still: during the first walk, and again after it was let go on."""

Measure = Callable[[Callable[[], None]], TreeSize]
"""The size of all that the run has written; calls what it is given again and again meanwhile."""


class Room(NamedTuple):
    """What a file system has left."""

    bytes: int
    files: int
    """0 where the file system does not count them."""

    @classmethod
    def on(cls, folder: Path) -> Room:
        """Of the file system that the folder is on. Raises OSError."""
        found = os.statvfs(folder)
        return cls(found.f_bavail * found.f_frsize, found.f_ffree)


@dataclass
class DiskWatch:
    """What is known of the files of one run; used by one thread, but for `size` and `full`."""

    box: Box
    limits: Limits
    clock: Clock
    measure: Measure
    folders: tuple[Path, ...]
    """One folder on each file system that the agent can write to; the first is on that of the state directory."""

    def __post_init__(self) -> None:
        self.size: TreeSize | None = None
        """As it was found last."""
        self.peak = TreeSize(bytes=0, entries=0)
        self.full = False
        self.failed_looks = 0
        self.standing_still = False
        self._rooms: tuple[Room, ...] = ()
        """What was left when the last walk began that came to its end."""
        self._now: tuple[Room, ...] = ()
        self._coming = Room(0, 0)
        """What the disks will lose within `REACTION` at the present speed."""
        self._went_on: tuple[Room, ...] = ()
        self._seen_at = self._measured_at = self._due = self._begun = self._may_hold = self._glanced = (
            self.clock.monotonic()
        )
        self._cost = 0.0

    def tick(self) -> None:
        """Look at the free space; walk when it is time, or when the limit may have been passed."""
        self._look_at_the_room()
        now = self.clock.monotonic()
        if now >= self._due or (now >= self._measured_at + self._cost and self._may_be_over()):
            self.look()

    @property
    def pace(self) -> float:
        """Seconds until the next `tick` is due."""
        return NEAR_LOOK_EVERY if self._may_be_over(margin=SLACK) else LOOK_EVERY

    @property
    def over(self) -> bool:
        """Whether more was found than the limits allow."""
        return self.peak.bytes > self.limits.disk or self.peak.entries > self.limits.files

    @property
    def blind(self) -> bool:
        """Whether the limits are not held any more."""
        return self.failed_looks > MOST_FAILED_LOOKS

    def look(self) -> bool:
        """Measure; whether it could be done. An agent that has too much stands still from here on.

        What it wrote after its files were counted, and before it was made to stand still, is found by a second walk.
        """
        done = self._walk()
        if done and self.standing_still and not self.over:
            self._look_at_the_room()
            done = not self._may_be_over() or self._walk()
        if not self.over:
            self.go_on()
        return done

    def _walk(self) -> bool:
        begin = self._begun = self.clock.monotonic()
        self._look_at_the_room()
        rooms = self._now
        self._rooms = self._rooms or rooms
        self._glance()
        try:
            size = self.measure(self._glance)
        except (PaddockError, OSError):
            self.failed_looks += 1
            self._due = self.clock.monotonic() + LOOK_EVERY
            return False
        self.failed_looks = 0
        self._learn(size, begin)
        self._rooms = rooms
        return True

    def go_on(self) -> None:
        """Let the agent go on, if it was made to stand still."""
        if self.standing_still:
            self.standing_still = False
            now = self.clock.monotonic()
            self._may_hold = now + (now - self._glanced)  # half of its time is its own
            self._went_on = self._now
            with suppress(PaddockError):
                self.box.unpause()

    def _learn(self, size: TreeSize, begin: float) -> None:
        """When to measure again, from what a look cost and from how fast the agent writes."""
        now = self.clock.monotonic()
        was, seconds = self.size or size, begin - self._measured_at
        left = min(
            _seconds_left(self.limits.disk, was.bytes, size.bytes, seconds),
            _seconds_left(self.limits.files, was.entries, size.entries, seconds),
        )
        self._cost = now - begin
        usual = max(MEASURE_EVERY, MEASURE_SHARE * self._cost)
        self._due = now + min(usual, max(left / 2, self._cost, LOOK_EVERY))
        self._measured_at = begin
        self.size = size
        self.peak = TreeSize(bytes=max(self.peak.bytes, size.bytes), entries=max(self.peak.entries, size.entries))

    def _look_at_the_room(self) -> None:
        with suppress(OSError):
            was, self._now = self._now, tuple(map(Room.on, self.folders))
            self.full = self._now[0].bytes < LEAST_FREE
            seconds, self._seen_at = self.clock.monotonic() - self._seen_at, self.clock.monotonic()
            if seconds > 0:
                lost, ahead = _lost(was, self._now), REACTION / seconds
                self._coming = Room(int(lost.bytes * ahead), int(lost.files * ahead))

    def _may_be_over(self, margin: int = 0) -> bool:
        """Whether the limit, less a margin, is passed if all that the disks lose from then on is the agent's."""
        lost, coming = _lost(self._rooms, self._now), self._coming
        known = self.size or TreeSize(bytes=self.limits.disk - SLACK, entries=0)
        data, files = lost.bytes + coming.bytes, lost.files + coming.files
        return known.bytes + data > self.limits.disk - margin or known.entries + files > self.limits.files

    def _glance(self) -> None:
        """Make the agent stand still when the limit may be passed before the walk that is under way has ended."""
        now = self.clock.monotonic()
        lasts = max(self._cost, now - self._begun)
        short = lasts < LONG_LOOK and self._coming.bytes * lasts < SLACK / 2 * REACTION
        if short or self.standing_still or now < self._glanced + LOOK_EVERY / 2:
            return
        self._glanced = now
        self._look_at_the_room()
        if self._may_be_over() and (now >= self._may_hold or _lost(self._went_on, self._now).bytes > SLACK):
            with suppress(PaddockError):
                self.box.pause()
                self.standing_still = True


def _lost(before: tuple[Room, ...], now: tuple[Room, ...]) -> Room:
    """What all of these file systems have less than before; one that has more makes up for none."""
    pairs = list(zip(before, now, strict=False))
    return Room(
        sum(max(0, was.bytes - left.bytes) for was, left in pairs),
        sum(max(0, was.files - left.files) for was, left in pairs),
    )


def _seconds_left(limit: int, before: int, now: int, seconds: float) -> float:
    """Until the limit is reached at the present speed."""
    gained = now - before
    return (limit - now) / gained * seconds if gained > 0 and seconds > 0 else float("inf")
