"""Finishing a run whose own Paddock died: its sandbox is ended, its work collected, its result written."""

from __future__ import annotations

from runner.agents.table import agent_named
from runner.errors import EngineError, StoreError
from runner.model.policy import Policy
from runner.model.result import Outcome, RunResult
from runner.model.spec import Role, SandboxSpec
from runner.model.task import Task
from runner.plan import ImageSettings
from runner.repo.source import inspect_source
from runner.run.attempt import Attempt, place_of_collector
from runner.run.collect import collect_attempt
from runner.run.collector import open_collector
from runner.run.finish import finish_run
from runner.run.host import Host, agent_identity
from runner.run.journal import Journal, remembered
from runner.run.prepare import Prepared
from runner.run.recovery_record import read_recovery, workspace_of
from runner.run.supervise import Supervised
from runner.sandbox.engine import Exit
from runner.store.ledger import Ledger, RunRow
from runner.store.policy_files import LoadedPolicy
from runner.store.runs import RunPaths
from runner.store.tree import remove_tree


def end_orphan(row: RunRow, paths: RunPaths, host: Host, ledger: Ledger) -> RunResult:
    """End a run whose Paddock died: its sandbox is killed, its work collected, its result written as `cancelled`.

    Raises `EngineError` when the engine does not answer; then nothing has changed.
    """
    exited = kill_sandbox(paths.id, host)
    attempt = attempt_on_disk(row, paths, host, ledger)
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


def attempt_on_disk(row: RunRow, paths: RunPaths, host: Host, ledger: Ledger) -> Attempt:
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
    journal = Journal(paths, ledger, clock=host.clock, tell=host.tell, started_at=row.created_at)
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
