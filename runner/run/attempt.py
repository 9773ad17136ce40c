"""A run under way: what was decided, what is known so far, and how its work is collected."""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.errors import EngineError, PaddockError
from runner.model.spec import Role, SandboxSpec
from runner.repo.workspace import Workspace
from runner.run.collect import Collected, Collecting, collect_work
from runner.run.collector import Collector, CollectorPlace
from runner.run.host import Host
from runner.run.journal import Journal
from runner.run.prepare import Prepared
from runner.run.supervise import Supervised
from runner.store.runs import RunPaths


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
    supervised: Supervised | None = None
    collected: Collected | None = None
    errors: list[PaddockError] = field(default_factory=list)


def place_of_collector(attempt: Attempt) -> CollectorPlace:
    """Where the run's collector is started."""
    return CollectorPlace(
        engine=attempt.host.engine,
        spec=attempt.collector,
        paths=attempt.paths,
        identity=attempt.prepared.identity,
        clock=attempt.host.clock,
    )


def collect_attempt(attempt: Attempt, workspace: Workspace, collector: Collector) -> None:
    """Take out what the agent left, once it is certain that nothing of it runs any more."""
    host = attempt.host
    if any(found.running and found.role == Role.SANDBOX for found in host.engine.find(run=attempt.paths.id)):
        raise EngineError("The sandbox could not be stopped, so its work was not touched.")
    collecting = Collecting(
        source=attempt.prepared.source,
        workspace=workspace,
        effective_uid=host.user.uid,
        paths=attempt.paths,
        journal=attempt.journal,
        clock=host.clock,
    )
    attempt.collected = collect_work(collecting, collector)
