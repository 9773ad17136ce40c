"""One run, start to end: `run_task` reads as DESIGN 3 does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from runner.errors import ContainerGoneError, EngineError
from runner.model.events import Phase
from runner.model.quantities import format_size
from runner.model.result import LimitUse, RunResult
from runner.model.task import Task
from runner.plan import collector_spec, plan_sandbox, workspace_fits
from runner.repo.urls import is_url, parse_url
from runner.repo.workspace import Workspace, prepare_workspace
from runner.run.agent_log import AgentLog
from runner.run.attempt import Attempt, place_of_collector
from runner.run.collector import Collector, collector_beside, open_collector
from runner.run.finish import finish_run
from runner.run.host import Host
from runner.run.journal import Journal, remembered
from runner.run.prepare import Prepared, prepare, request_of
from runner.run.recovery_record import write_recovery
from runner.run.start import start_sandbox
from runner.run.supervise import supervise
from runner.run.watchdog import Watched
from runner.sandbox.engine import Box
from runner.sandbox.etc_files import sandbox_etc
from runner.settings import git_environment
from runner.store.files import write_whole
from runner.store.ledger import Ledger, RunRow
from runner.store.owner import this_process
from runner.store.runs import RunPaths, create_run
from runner.store.tree import measure_tree, remove_tree

if TYPE_CHECKING:
    from runner.egress.gateway import Gateway


def run_task(task: Task, host: Host) -> RunResult:
    """Carry out one task and give its result document, which is also on the disk.

    Raises `RefusedError`, `UsageError` or `EngineError` when nothing was started; after that every
    failure is in the result.
    """
    begin = host.clock.monotonic()
    with host.cancellation.interrupting():
        prepared = prepare(task, host)
    with Ledger(host.ledger) as ledger:
        attempt = begin_run(prepared, host, ledger)
        attempt.journal.timings[Phase.PREPARE.value] = round(host.clock.monotonic() - begin, 4)
        return carry_out(attempt)


def begin_run(prepared: Prepared, host: Host, ledger: Ledger) -> Attempt:
    """The run's directory and its row in the ledger: evidence that exists before the first effect."""
    state, task = host.settings.state_dir, prepared.task
    ledger.refuse_name_in_use(task.name)
    paths = create_run(state, task.name or prepared.agent.slug(task), host.clock.now().date())
    with ExitStack() as undo:
        undo.callback(remove_tree, paths.directory)
        request = request_of(prepared, state, paths)
        spec, collector = plan_sandbox(request), collector_spec(request, prepared.collector_image)
        write_whole(paths.task, without_secrets(prepared).model_dump_json(indent=2) + "\n")
        write_whole(paths.policy, prepared.policy.model_dump_json(indent=2) + "\n")
        if task.observe and prepared.route:
            from runner.egress.observe import given_rules

            write_whole(paths.given_rules, given_rules(prepared.route.rules).model_dump_json(indent=2) + "\n")
        write_whole(paths.spec, spec.model_dump_json(indent=2) + "\n")
        journal = Journal(paths, ledger, clock=host.clock, tell=host.tell)
        journal.open(row_of(prepared, paths, journal.started_at))
        undo.pop_all()
    for notice in prepared.notices:
        journal.notice(notice)
    return Attempt(host=host, prepared=prepared, paths=paths, journal=journal, spec=spec, collector=collector)


def row_of(prepared: Prepared, paths: RunPaths, started_at: str) -> RunRow:
    """The ledger's row of a run that this process carries out."""
    pid, ticks = this_process()
    return RunRow(
        id=paths.id,
        name=prepared.task.name,
        repo=str(prepared.source.path),
        agent=prepared.task.agent,
        policy=prepared.loaded.name,
        created_at=started_at,
        owner_pid=pid,
        owner_started=ticks,
    )


def without_secrets(prepared: Prepared) -> Task:
    """The task as it may be written down: no value of a secret variable, no credentials in a URL."""
    task = prepared.task
    environment = {**task.environment, **dict.fromkeys(prepared.secrets, "[secret]")}
    repo = parse_url(task.repo).url if is_url(task.repo) else task.repo
    return task.model_copy(update={"environment": environment, "repo": repo})


def carry_out(attempt: Attempt) -> RunResult:
    """Everything with an effect. Whatever fails, what the agent left is collected and what was started is removed."""
    with remembered(attempt.errors):
        workspace = open_workspace(attempt)
        if workspace is not None and not attempt.host.cancellation.requested:
            with collector_beside(place_of_collector(attempt)) as beside:
                with remembered(attempt.errors):
                    let_the_agent_work(attempt, beside)
                if attempt.began:
                    collect(attempt, workspace, beside.result())
    return finish_run(attempt)


def collect(attempt: Attempt, workspace: Workspace, collector: Collector) -> None:
    """Collect; with a new collector when the waiting one has gone, as it does when the engine restarts."""
    from runner.run.collect import collect_attempt  # loaded by now: see collector_beside

    try:
        collect_attempt(attempt, workspace, collector)
    except ContainerGoneError:
        with open_collector(place_of_collector(attempt)) as another:
            collect_attempt(attempt, workspace, another)


def open_workspace(attempt: Attempt) -> Workspace | None:
    """The throw-away repository, and the folders that the containers see; `None` when it was cancelled meanwhile."""
    paths, prepared = attempt.paths, attempt.prepared
    with attempt.journal.phase(Phase.WORKSPACE):
        try:
            with attempt.host.cancellation.interrupting():
                workspace = attempt.workspace = make_workspace(attempt)
        except KeyboardInterrupt:
            return None
        size = measure_tree(paths.workspace, enough=prepared.policy.limits.files)
        workspace_fits(size.bytes, size.entries, prepared.policy.limits)
        for notice in workspace.notices:
            attempt.journal.notice(notice)
        for folder in (paths.control, paths.etc):
            folder.mkdir(mode=0o755)
        for name, text in sandbox_etc(prepared.identity).items():
            write_whole(paths.etc / name, text, mode=0o644)
        open_caches(attempt)
    write_recovery(attempt, workspace)
    return workspace


def make_workspace(attempt: Attempt) -> Workspace:
    """The throw-away repository, as the policy says."""
    prepared, options = attempt.prepared, attempt.prepared.policy.workspace
    return prepare_workspace(
        prepared.source,
        attempt.paths.workspace,
        index_copy=attempt.paths.index_copy,
        history=options.history,
        dirty=prepared.task.dirty,
        include=options.include,
        owner=prepared.identity,
        environment=git_environment(),
    )


def open_caches(attempt: Attempt) -> None:
    """The caches' folders, owned by the agent."""
    caches = {cache.target for cache in attempt.prepared.policy.caches}
    for mount in attempt.prepared.mounts:
        if mount.target in caches and not os.path.isdir(mount.source):  # noqa: PTH112 - a plain string of the spec
            os.makedirs(mount.source, mode=0o700)  # noqa: PTH103
            if os.geteuid() == 0:
                os.chown(mount.source, attempt.prepared.identity.uid, attempt.prepared.identity.gid)


def let_the_agent_work(attempt: Attempt, beside: Future[Collector]) -> None:
    """Sandbox, agent, stop: the sandbox is removed when this returns, whatever happened.

    The agent begins only when there is a collector for its work.
    """
    host, journal, prepared = attempt.host, attempt.journal, attempt.prepared
    with ExitStack() as removal:
        with journal.phase(Phase.SANDBOX):
            gateway = removal.enter_context(network_of(attempt))
            started = removal.enter_context(
                start_sandbox(host.engine, attempt.spec, prepared.secrets, attempt.paths.control, host.clock)
            )
            beside.result()
        with journal.phase(Phase.AGENT), open_log(attempt) as log:
            attempt.began = True
            started.go()
            attempt.supervised = supervise(watched(attempt, started.box, log, gateway), started.output)
        if attempt.supervised.failure:
            attempt.errors.append(EngineError(attempt.supervised.failure))
        if log.failure:
            journal.notice(log.failure)
        with journal.phase(Phase.STOP):
            removal.close()


@contextmanager
def network_of(attempt: Attempt) -> Iterator[Gateway | None]:
    """The gateway, where the policy opens the network; what went through it is known when the scope ends."""
    route = attempt.prepared.route
    if route is None:
        yield None
        return
    from runner.run.network import open_network  # loaded by now: see prepare.find_route

    with open_network(route, attempt.paths, attempt.host.outside) as gateway:
        try:
            yield gateway
        finally:
            granted = attempt.prepared.policy.network.upload_limit
            attempt.uploaded = LimitUse(granted=granted, peak=gateway.uploaded, hit=gateway.upload_exceeded)
            if gateway.upload_exceeded:
                limit = format_size(granted)
                attempt.journal.notice(f"The network was cut off: network.upload_limit = {limit} was reached.")


def open_log(attempt: Attempt) -> AgentLog:
    """Where the agent's output goes."""
    return AgentLog(
        attempt.paths.agent_log,
        limit=attempt.prepared.policy.limits.output,
        secrets=(*attempt.prepared.secrets.values(), *injected_values(attempt)),
        show=attempt.host.show,
    )


def injected_values(attempt: Attempt) -> tuple[str, ...]:
    """Secrets that are not in the sandbox, in every spelling; should one come out of it all the same, it is masked."""
    route = attempt.prepared.route
    return tuple(form for each in route.injections for form in each.hidden) if route else ()


def watched(attempt: Attempt, box: Box, log: AgentLog, gateway: Gateway | None) -> Watched:
    """What the watchdog looks at."""
    policy = attempt.prepared.policy
    return Watched(
        box=box,
        limits=policy.limits,
        log=log,
        clock=attempt.host.clock,
        cancellation=attempt.host.cancellation,
        measure=lambda: measure_tree(attempt.paths.workspace, enough=policy.limits.files),
        disk=attempt.paths.directory,
        writable_root=policy.sandbox.writable_root,
        tell=attempt.journal.event,
        network_fault=(lambda: gateway.failed) if gateway else str,
    )
