"""What is known of a run of a batch while it is under way: written by its own thread, read by whoever watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.model.events import Event, PhaseStarted
from runner.run.cancellation import Cancellation
from runner.store.runs import RunPaths

if TYPE_CHECKING:  # few batches are watched
    from runner.model.activity import Activity, Progress


@dataclass
class Live:
    """One run, or the rounds of one."""

    name: str
    repo: str
    agent: str
    began: float
    """By the monotonic clock."""
    opened: Callable[[RunPaths], None]
    """Called with each run of it, from its thread."""
    cancellation: Cancellation = field(default_factory=Cancellation)
    phase: str = ""
    action: str = ""
    """What its agent did last; hostile text."""
    run: str = ""
    before_usd: float = 0.0
    """What its earlier rounds cost."""
    cost_usd: float = 0.0

    def begin_run(self, paths: RunPaths) -> None:
        """One more run of it."""
        self.run = paths.id
        self.before_usd, self.cost_usd = self.before_usd + self.cost_usd, 0.0
        self.opened(paths)

    def event(self, event: Event) -> None:
        """Something happened in the run."""
        if isinstance(event, PhaseStarted):
            self.phase = event.phase.value

    def activity(self, activity: Activity | Progress) -> None:
        """Its agent did something, or used more."""
        if activity.kind == "progress":
            self.cost_usd = activity.cost_usd or 0.0
        elif activity.kind == "tool":
            self.action = f"{activity.name} {activity.detail}".strip()
        elif activity.kind == "edited":
            self.action = f"edit {activity.path}"

    def ask_to_end(self, times: int) -> None:
        """Once to stop and collect, twice to kill and collect; never less than was asked before."""
        while self.asked < times:
            self.cancellation.request()

    @property
    def asked(self) -> int:
        """How often it was asked to end."""
        return int(self.cancellation.requested) + int(self.cancellation.urgent)

    @property
    def spent_usd(self) -> float:
        """What all of it has cost so far."""
        return self.before_usd + self.cost_usd
