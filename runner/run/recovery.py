"""What a run was about whose Paddock died or failed, read again from its directory; and who owns it from here on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from runner.agents.base import Reader
from runner.agents.table import agent_named
from runner.errors import EngineError, RefusedError, StoreError, UsageError
from runner.model.policy import Policy
from runner.model.policy_file import files_of
from runner.model.request import Command, ImageSettings
from runner.model.result import LimitUse, RunResult
from runner.model.spec import Role, SandboxSpec
from runner.model.task import Task
from runner.model.usage import Used
from runner.plan import AGENT, HOME
from runner.repo.source import Source, inspect_source
from runner.run.attempt import Attempt
from runner.run.host import Host, agent_identity
from runner.run.journal import Journal
from runner.run.prepare import Prepared, reader_of
from runner.run.recovery_record import Recovery, read_used, workspace_of
from runner.run.spending import Spending
from runner.sandbox.engine import Found
from runner.store.ledger import RUNNING, Ledger, RunRow
from runner.store.owner import this_process
from runner.store.policy_files import LoadedPolicy
from runner.store.runs import RunPaths, read_result

KILL_SECONDS = 30.0


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


def find_sandbox(run: str, host: Host) -> Found | None:
    """The container that the run's agent works in, or did. Raises `EngineError`."""
    found = [each for each in host.engine.find(run=run) if each.role == Role.SANDBOX]
    return next(iter(sorted(found, key=lambda each: not each.running)), None)


def end_containers(run: str, host: Host) -> None:
    """Kill and remove every container of the run. Raises `EngineError` when one does not end."""
    for found in host.engine.find(run=run):
        box = host.engine.open(found.id)
        box.signal("SIGKILL")
        if box.wait(KILL_SECONDS) is None:
            raise EngineError(f"The container {found.name} does not end.", hint="Restart the engine, then try again.")
        box.close()


def attempt_on_disk(row: RunRow, paths: RunPaths, host: Host, ledger: Ledger, recovery: Recovery | None) -> Attempt:
    """The run as far as it had got. Raises `StoreError` when its directory says too little."""
    try:
        task = Task.model_validate_json(paths.task.read_bytes())
        policy = Policy.model_validate_json(paths.policy.read_bytes())
        files = files_of(paths.policy_files.read_bytes())
        spec = SandboxSpec.model_validate_json(paths.spec.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{row.id} cannot be taken up: {error}", hint=f"Its files are in {paths.directory}."
        ) from error
    source = inspect_source(row.repo, recovery.base if recovery else "", effective_uid=host.user.uid)
    loaded = LoadedPolicy(policy=policy, name=row.policy, sources={}, files=(), evidence=files)
    journal = Journal(paths, ledger, clock=host.clock, tell=host.tell, started_at=row.created_at)
    died = "died" if row.state == RUNNING else "could not collect its work"
    journal.notice(f"The Paddock that carried this run out {died}; another one took it up.")
    return Attempt(
        host=host,
        prepared=prepared_again(task, loaded, spec, source, recovery, host),
        paths=paths,
        journal=journal,
        spec=spec,
        collector=recovery.collector if recovery else spec,
        workspace=workspace_of(recovery, paths) if recovery else None,
    )


def prepared_again(  # noqa: PLR0913, PLR0917 - what is known of a run comes from so many places
    task: Task, loaded: LoadedPolicy, spec: SandboxSpec, source: Source, recovery: Recovery | None, host: Host
) -> Prepared:
    """What had been decided, as far as the spec and the task tell; without secrets, and without a way out."""
    policy = loaded.policy
    own = {mount.target for mount in policy.mounts} | {cache.target for cache in policy.caches}
    volumes = tuple(tmpfs.target for tmpfs in spec.tmpfs if tmpfs.target not in {"/tmp", HOME})  # noqa: S108
    return Prepared(
        task=task,
        command=Command(argv=spec.argv, keeps=any(mount.target == AGENT for mount in spec.mounts)),
        slug=task.agent,
        loaded=loaded,
        source=source,
        identity=agent_identity(host.user, source.owner),
        image=ImageSettings(ref=spec.image, environment=spec.dropped_environment, volumes=volumes),
        collector_image=recovery.collector.image if recovery else spec.image,
        mounts=tuple(mount for mount in spec.mounts if mount.target in own),
        secrets=dict.fromkeys(spec.secret_environment, ""),
        reader=reader_again(task, host),
    )


def reader_again(task: Task, host: Host) -> Reader | None:
    """Who reads the agent's event stream; `None` also for an agent that the settings no longer have."""
    with suppress(UsageError):
        return reader_of(agent_named(task.agent, host.settings.agents))
    return None


def recall_use(attempt: Attempt, used: Used | None) -> None:
    """What the run used of its network, as it was written down last."""
    prepared = attempt.prepared
    used = used or read_used(attempt.paths)
    if used is not None:
        granted = prepared.policy.network.upload_limit
        attempt.spending = Spending(used.spent, prepared.policy.limits)
        attempt.uploaded = LimitUse(granted=granted, peak=used.uploaded, hit=used.uploaded >= granted)


def recall_words(attempt: Attempt) -> None:
    """What the agent told of itself, as far as it was kept."""
    prepared, paths = attempt.prepared, attempt.paths
    if prepared.reader is not None and paths.activity.exists():
        from runner.run.follow import Follower

        attempt.told = Follower(
            prepared.reader, activity=paths.activity, transcript=paths.transcript, watch=lambda _: None
        )
        with paths.activity.open("rb") as lines:
            attempt.told.recall(lines)
