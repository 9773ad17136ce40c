"""Which of the waiting tasks begins next: what fits the machine, the jobs, and what its provider bears. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from runner.batch.check import Demand, Room

Key = tuple[int, int]
"""A task's number, and which attempt at it."""
_ROUNDING = 1e-9


class Waiting(NamedTuple):
    """An attempt that may begin as soon as there is room."""

    key: Key
    demand: Demand
    not_before: datetime | None = None


@dataclass
class Taken:
    """What is taken up by what runs."""

    _running: dict[Key, Demand] = field(default_factory=dict)

    def take(self, key: Key, demand: Demand) -> None:
        """One more."""
        self._running[key] = demand

    def give_back(self, key: Key) -> None:
        """One less."""
        self._running.pop(key, None)

    @property
    def jobs(self) -> int:
        """How many there are."""
        return len(self._running)

    def fits(self, demand: Demand, room: Room) -> bool:
        """Whether there are a job, CPUs and memory for one more."""
        running = self._running.values()
        return (
            self.jobs < room.jobs
            and sum(each.cpus for each in running) + demand.cpus <= room.cpus + _ROUNDING
            and sum(each.memory for each in running) + demand.memory <= room.memory
        )

    def bears(self, provider: str, room: Room) -> bool:
        """Whether the provider may be asked by one more."""
        used = sum(each.provider == provider for each in self._running.values())
        return provider not in room.providers or used < room.providers[provider]


def next_to_begin(waiting: Iterable[Waiting], taken: Taken, room: Room, now: datetime) -> Waiting | None:
    """The first that may begin.

    What waits for its time or its provider is overtaken. What waits for the machine is not: a large task would never
    find room among small ones.
    """
    for each in waiting:
        if each.not_before is not None and each.not_before > now:
            continue
        if not taken.bears(each.demand.provider, room):
            continue
        return each if taken.fits(each.demand, room) else None
    return None
