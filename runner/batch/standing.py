"""How far a batch has got, task by task, as its rows in the ledger tell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.batch.settled import best_of
from runner.store.batches import DONE, RUNNING, SKIPPED, AttemptRow, Batches, BatchRow, TaskRow
from runner.store.owner import owner_alive

DIED = "interrupted"


class TaskState(NamedTuple):
    """One task, and where it stands."""

    task: TaskRow
    attempts: Sequence[AttemptRow]

    @property
    def best(self) -> AttemptRow:
        """The attempt that stands for it: the one that was chosen, else what is under way, else any."""
        running = [each for each in self.attempts if each.state == RUNNING]
        return running[0] if running else best_of(self.attempts)

    @property
    def word(self) -> str:
        """Where it stands."""
        return self.best.outcome if self.over and self.best.state == DONE else self.best.state

    @property
    def over(self) -> bool:
        """Whether nothing of it is still to come."""
        return all(each.state in {DONE, SKIPPED} for each in self.attempts)

    @property
    def tries(self) -> int:
        """How many runs it took, all attempts together."""
        return sum(each.tries for each in self.attempts)

    @property
    def cost_usd(self) -> float:
        """What they cost, in US dollars."""
        return sum(each.cost_usd for each in self.attempts)

    @property
    def ok(self) -> bool:
        """Whether it is over, and did what it was to do."""
        return self.over and bool(self.best.ok)

    @property
    def failed(self) -> bool:
        """Whether it is over, and did not do what it was to do."""
        return self.over and not self.best.ok


def task_states(batch: str, batches: Batches) -> list[TaskState]:
    """Every task of a batch."""
    by_task: dict[int, list[AttemptRow]] = {}
    for row in batches.attempts(batch):
        by_task.setdefault(row.task, []).append(row)
    return [TaskState(task, by_task[task.number]) for task in batches.tasks(batch)]


def state_of(row: BatchRow) -> str:
    """`running`, `stopped`, `ended`, or `interrupted` when the process that carried it out is gone."""
    return DIED if row.state == RUNNING and not owner_alive(row) else row.state
