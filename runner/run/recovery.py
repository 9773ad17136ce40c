"""What another Paddock needs to finish a run whose own Paddock died, and how it does that."""

from __future__ import annotations

from pathlib import Path

from runner.agents.table import agent_named
from runner.errors import EngineError, StoreError
from runner.model.base import Record
from runner.model.policy import Policy
from runner.model.result import Outcome, RunResult
from runner.model.spec import Role, SandboxSpec
from runner.model.task import Task
from runner.plan import ImageSettings
from runner.repo.source import inspect_source
from runner.repo.workspace import Workspace
from runner.run.attempt import Attempt, collect_attempt, place_of_collector
from runner.run.collector import open_collector
from runner.run.finish import finish_run
from runner.run.host import Host, agent_identity
from runner.run.journal import Journal, remembered
from runner.run.prepare import Prepared
from runner.run.supervise import Supervised
from runner.sandbox.engine import Exit
from runner.store.files import read_bounded, write_whole
from runner.store.ledger import RunRow
from runner.store.policy_files import LoadedPolicy
from runner.store.runs import RunPaths
from runner.store.tree import remove_tree

RECOVERY_NAME = "recovery.json"
MAX_RECOVERY = 16 * 1024 * 1024


class Recovery(Record):
    """The workspace as it was before the agent began, and the collector that takes it apart."""

    head_branch: str
    base: str
    start: str
    refs: dict[str, str]
    shallow: tuple[str, ...]
    collector: SandboxSpec


def write_recovery(attempt: Attempt, workspace: Workspace) -> None:
    """Write down what a later Paddock needs, before the agent begins."""
    recovery = Recovery(
        head_branch=workspace.head_branch,
        base=workspace.base,
        start=workspace.start,
        refs=dict(workspace.refs),
        shallow=workspace.shallow,
        collector=attempt.collector,
    )
    write_whole(attempt.paths.collector_in / RECOVERY_NAME, recovery.model_dump_json())


def end_orphan(row: RunRow, paths: RunPaths, host: Host) -> RunResult:
    """End a run whose Paddock died: its sandbox is killed, its work collected, its result written as `cancelled`.

    Raises `EngineError` when the engine does not answer; then nothing has changed.
    """
    exited = kill_sandbox(paths.id, host)
    attempt = attempt_on_disk(row, paths, host)
    remove_tree(paths.quarantine)
    attempt.supervised = Supervised(exit=exited, stopped=Outcome.CANCELLED, seconds=0.0, output=0)
    if attempt.workspace is not None:
        attempt.began = True
        with remembered(attempt.errors), open_collector(place_of_collector(attempt)) as collector:
            collect_attempt(attempt, attempt.workspace, collector)
    return finish_run(attempt)


def kill_sandbox(run: str, host: Host) -> Exit | None:
    """Kill and remove every container of the run; how the agent's ended, if it was still there."""
    exited = None
    for found in host.engine.find(run=run):
        box = host.engine.open(found.id)
        box.signal("SIGKILL")
        ended = box.wait(30)
        if ended is None:
            raise EngineError(f"The container {found.name} does not end.", hint="Restart the engine, then try again.")
        exited = ended if found.role == Role.SANDBOX else exited
        box.close()
    return exited


def attempt_on_disk(row: RunRow, paths: RunPaths, host: Host) -> Attempt:
    """The run as far as it had got. Raises `StoreError` when its directory says too little."""
    try:
        task = Task.model_validate_json(paths.task.read_bytes())
        policy = Policy.model_validate_json(paths.policy.read_bytes())
        spec = SandboxSpec.model_validate_json(paths.spec.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{row.id} cannot be taken up: {error}", hint=f"Its files are in {paths.directory}."
        ) from error
    recovery = read_recovery(paths)
    source = inspect_source(row.repo, recovery.base if recovery else "", effective_uid=host.user.uid)
    prepared = Prepared(
        task=task,
        agent=agent_named(task.agent),
        loaded=LoadedPolicy(policy=policy, name=row.policy, sources={}, files=()),
        source=source,
        identity=agent_identity(host.user, source.owner),
        image=ImageSettings(ref=spec.image),
        collector_image=recovery.collector.image if recovery else spec.image,
        mounts=(),
        secrets={},
    )
    journal = Journal(paths, host.ledger, clock=host.clock, tell=host.tell, started_at=row.created_at)
    journal.notice("The Paddock that carried this run out died; another one collected its work.")
    return Attempt(
        host=host,
        prepared=prepared,
        paths=paths,
        journal=journal,
        spec=spec,
        collector=recovery.collector if recovery else spec,
        workspace=workspace_of(recovery, paths) if recovery else None,
    )


def read_recovery(paths: RunPaths) -> Recovery | None:
    """What was written before the agent began; `None` when the run had not got that far."""
    path = paths.collector_in / RECOVERY_NAME
    return Recovery.model_validate_json(read_bounded(path, MAX_RECOVERY)) if path.exists() else None


def workspace_of(recovery: Recovery, paths: RunPaths) -> Workspace:
    """The workspace as it was before the agent began."""
    return Workspace(
        path=Path(paths.workspace),
        head_branch=recovery.head_branch,
        base=recovery.base,
        start=recovery.start,
        refs=recovery.refs,
        shallow=recovery.shallow,
        index_copy=paths.index_copy,
    )
