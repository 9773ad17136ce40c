"""How a batch ended, for whoever carried it out from a program."""

from __future__ import annotations

from runner.model.base import Record
from runner.model.result import EXIT_CODES, EXIT_TASKS_FAILED, Outcome


class TaskEnd(Record):
    """One task: how the attempt that stands for it went. Names and reasons are text that was escaped."""

    name: str
    repo: str
    agent: str
    state: str
    """An outcome once it is over; else `queued` or `skipped`."""
    ok: bool = False
    """Whether it is over, and did what it was to do."""
    failed: bool = False
    """Whether it is over, and did not."""
    reason: str = ""
    check: str = ""
    """`passed`, `failed`, or empty without one."""
    run: str = ""
    """The id of its run; empty where there is none."""
    branch: str = ""
    commits: int = 0
    cost_usd: float = 0.0
    """Of all its attempts."""
    tries: int = 0
    """Of all its attempts."""
    needs: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class BatchResult(Record):
    """The whole batch, with its tasks in the order of the file."""

    id: str
    state: str
    """`ended`, or `stopped` where some of it was never done."""
    why: str = ""
    """Why it was stopped."""
    file: str = ""
    created_at: str
    ended_at: str
    tasks: tuple[TaskEnd, ...]

    @property
    def succeeded(self) -> int:
        """How many tasks did what they were to do."""
        return sum(each.ok for each in self.tasks)

    @property
    def failed(self) -> int:
        """How many are over and did not."""
        return sum(each.failed for each in self.tasks)

    @property
    def cost_usd(self) -> float:
        """US dollars, as far as they are known."""
        return sum(each.cost_usd for each in self.tasks)

    @property
    def exit_code(self) -> int:
        """That of `paddock batch run`."""
        if self.state != "ended":
            return EXIT_CODES[Outcome.CANCELLED]
        return EXIT_TASKS_FAILED if self.failed else 0
