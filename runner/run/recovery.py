"""Finishing a run whose own Paddock died or failed: its sandbox is ended, its work collected, its result written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runner.errors import EngineError, RefusedError, StoreError
from runner.model.policy import Policy
from runner.model.request import Command, ImageSettings
from runner.model.result import Outcome, RunResult
from runner.model.spec import Role, SandboxSpec
from runner.model.task import Task
from runner.repo.source import inspect_source
from runner.run.attempt import Attempt, place_of_collector
from runner.run.collect import collect_attempt
from runner.run.collector import open_collector
from runner.run.finish import finish_run
from runner.run.host import Host, agent_identity
from runner.run.journal import Journal, remembered
from runner.run.prepare import Prepared
from runner.run.recovery_record import Ending, Recovery, read_ending, read_recovery, read_standing, workspace_of
from runner.run.supervise import Supervised
from runner.sandbox.engine import Exit
from runner.store.ledger import RUNNING, Ledger, RunRow
from runner.store.owner import this_process
from runner.store.policy_files import LoadedPolicy
from runner.store.runs import RunPaths, read_result
from runner.store.tree import remove_tree


def end_orphan(row: RunRow, paths: RunPaths, host: Host, ledger: Ledger) -> RunResult:
    """End a run whose Paddock died, or collect again where that failed: its work is collected, its result written.

    It counts as cancelled only if its agent was still at work and had to be killed. Raises `EngineError` when the
    engine does not answer, and `RefusedError` when another Paddock is at it; then nothing has changed.
    """
    with taken_over(row, ledger):
        killed, exited = kill_sandbox(paths.id, host)
        recovery, standing = read_recovery(paths), read_standing(paths)
        if recovery is None and standing is None and paths.result.exists():
            return close_again(row, paths, host, ledger)
        known = recovery or (standing.recovery if standing else None)
        attempt = attempt_on_disk(row, paths, host, ledger, known)
        remove_tree(paths.quarantine)
        ending = read_ending(paths) or (standing.ending if standing else None)
        attempt.supervised = how_it_ended(ending, exited, killed=killed)
        if recovery is not None and attempt.workspace is not None:
            attempt.began = True
            with remembered(attempt.errors), open_collector(place_of_collector(attempt)) as collector:
                collect_attempt(attempt, attempt.workspace, collector)
        elif standing is not None:  # all of it was taken out before the workspace began to be removed
            attempt.began, attempt.collected = True, standing.collected
        if attempt.prepared.task.check:
            attempt.journal.notice(f"The check did not run to its end: {attempt.prepared.task.check}")
        return finish_run(attempt)


@contextmanager
def taken_over(row: RunRow, ledger: Ledger) -> Iterator[None]:
    """Own a run, which nobody else may then end; after a failure it is as it was."""
    pid, started = this_process()
    if not ledger.take_over(row.id, row, pid, started):
        raise RefusedError(f"Another Paddock is ending {row.id}.", hint="Look at `paddock ps`.")
    try:
        yield
    except BaseException:
        if row.state == RUNNING:
            ours = row._replace(owner_pid=pid, owner_started=started)
            ledger.take_over(row.id, ours, row.owner_pid, row.owner_started)
        else:
            ledger.end(
                row.id,
                outcome=row.outcome,
                exit_code=row.exit_code or 0,
                ended_at=row.ended_at,
                branch=row.branch,
                commits=row.commits,
            )
        raise


def close_again(row: RunRow, paths: RunPaths, host: Host, ledger: Ledger) -> RunResult:
    """Only the ledger had not been told how the run ended."""
    result = read_result(paths)
    Journal(paths, ledger, clock=host.clock, tell=host.tell, started_at=row.created_at).close(result)
    return result


def how_it_ended(ending: Ending | None, exited: Exit | None, *, killed: bool) -> Supervised:
    """What is known of the agent's end: what was written down, else what the container says."""
    if ending is not None and ending.supervised is not None:
        return ending.supervised
    return Supervised(exit=exited, stopped=Outcome.CANCELLED if killed else None, seconds=0.0, output=0)


def kill_sandbox(run: str, host: Host) -> tuple[bool, Exit | None]:
    """Kill and remove every container of the run: whether the agent was still at work, and how it ended."""
    killed, exited = False, None
    for found in host.engine.find(run=run):
        box = host.engine.open(found.id)
        box.signal("SIGKILL")
        ended = box.wait(30)
        if ended is None:
            raise EngineError(f"The container {found.name} does not end.", hint="Restart the engine, then try again.")
        if found.role == Role.SANDBOX:
            killed, exited = found.running, ended
        box.close()
    return killed, exited


def attempt_on_disk(row: RunRow, paths: RunPaths, host: Host, ledger: Ledger, recovery: Recovery | None) -> Attempt:
    """The run as far as it had got. Raises `StoreError` when its directory says too little."""
    try:
        task = Task.model_validate_json(paths.task.read_bytes())
        policy = Policy.model_validate_json(paths.policy.read_bytes())
        spec = SandboxSpec.model_validate_json(paths.spec.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{row.id} cannot be taken up: {error}", hint=f"Its files are in {paths.directory}."
        ) from error
    source = inspect_source(row.repo, recovery.base if recovery else "", effective_uid=host.user.uid)
    prepared = Prepared(
        task=task,
        command=Command(argv=spec.argv),
        slug=task.agent,
        loaded=LoadedPolicy(policy=policy, name=row.policy, sources={}, files=()),
        source=source,
        identity=agent_identity(host.user, source.owner),
        image=ImageSettings(ref=spec.image),
        collector_image=recovery.collector.image if recovery else spec.image,
        mounts=(),
        secrets={},
    )
    journal = Journal(paths, ledger, clock=host.clock, tell=host.tell, started_at=row.created_at)
    died = "died" if row.state == RUNNING else "could not collect its work"
    journal.notice(f"The Paddock that carried this run out {died}; another one took it up.")
    return Attempt(
        host=host,
        prepared=prepared,
        paths=paths,
        journal=journal,
        spec=spec,
        collector=recovery.collector if recovery else spec,
        workspace=workspace_of(recovery, paths) if recovery else None,
    )
