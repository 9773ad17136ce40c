"""A run under way: what was decided, and what is known so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from runner.errors import PaddockError
from runner.model.result import CheckResult, LimitUse
from runner.model.spec import SandboxSpec
from runner.plan import COLLECTOR_OPTION
from runner.repo.workspace import Workspace
from runner.run.collector import CollectorPlace
from runner.run.host import Host
from runner.run.journal import Journal
from runner.run.patience import Patience
from runner.run.prepare import Prepared
from runner.store.runs import RunPaths

if TYPE_CHECKING:
    from runner.model.usage import Used
    from runner.run.collected import Collected
    from runner.run.follow import Follower
    from runner.run.spending import Spending
    from runner.run.supervise import Supervised


@dataclass(kw_only=True)
class Attempt:
    """A run under way: what was decided, and what is known so far."""

    host: Host
    prepared: Prepared
    paths: RunPaths
    journal: Journal
    spec: SandboxSpec
    collector: SandboxSpec
    workspace: Workspace | None = None
    began: bool = False
    """Whether the agent was told to go; from then on there may be work to collect."""
    ended_at: int | None = None
    """When the agent ended, where its sandbox said so: in seconds since 1970."""
    handed_over: bool = False
    """Whether the sandbox gave out the work itself, all that it said that there is."""
    supervised: Supervised | None = None
    before: Used | None = None
    """What was used of the network before this Paddock took the run up; `None` where it began the run."""
    uploaded: LimitUse | None = None
    """What was sent out of the sandbox, where it has a network."""
    spending: Spending | None = None
    """What was used of models, where the run has a network."""
    collected: Collected | None = None
    told: Follower | None = None
    """What the agent told of itself, where it has an event stream."""
    checked: CheckResult | None = None
    errors: list[PaddockError] = field(default_factory=list)

    @cached_property
    def patience(self) -> Patience:
        """What the run has left of it, for an engine that goes away."""
        return Patience(self.host.engine, self.host.clock, self.host.cancellation)


def place_of_collector(attempt: Attempt) -> CollectorPlace:
    """Where the run's collector is started."""
    return CollectorPlace(
        engine=attempt.host.engine,
        spec=attempt.collector,
        paths=attempt.paths,
        identity=attempt.prepared.identity,
        clock=attempt.host.clock,
    )


def secrets_of_run(attempt: Attempt) -> tuple[str, ...]:
    """What is masked wherever it comes out: what the sandbox was given, and what it was not, in every spelling."""
    route = attempt.prepared.route
    injected = (form for each in route.injections for form in each.hidden) if route else ()
    return (*attempt.prepared.secrets.values(), *injected)


def hands_over(attempt: Attempt) -> bool:
    """Whether the run's sandbox collects its own work."""
    return COLLECTOR_OPTION in attempt.spec.entrypoint
