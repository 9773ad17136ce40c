"""One run, start to end: `run_task` reads as DESIGN 3 does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Timer
from typing import TYPE_CHECKING

from runner.errors import ContainerGoneError, EngineError
from runner.model.events import Phase
from runner.model.quantities import format_size
from runner.model.result import LimitUse, RunResult
from runner.model.task import Task
from runner.plan import collector_spec, plan_sandbox
from runner.repo.urls import is_url, parse_url
from runner.repo.workspace import Workspace
from runner.run.agent_log import AgentLog, Show
from runner.run.attempt import Attempt, place_of_collector, secrets_of_run
from runner.run.collector import LATER, Beside, Collector, collector_beside, open_collector
from runner.run.finish import finish_run
from runner.run.host import Host
from runner.run.journal import Journal, remembered
from runner.run.prepare import Prepared, prepare, request_of
from runner.run.spending import Spending
from runner.run.start import start_sandbox
from runner.run.supervise import supervise
from runner.run.surroundings import open_workspace
from runner.run.watchdog import Watched
from runner.sandbox.engine import Box
from runner.store.files import write_whole
from runner.store.ledger import Ledger, RunRow
from runner.store.owner import this_process
from runner.store.runs import RunPaths, create_run
from runner.store.tree import TreeSize, measure_tree, remove_tree

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
    paths = create_run(state, prepared.slug, host.clock.now().date())
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
    beside = tuple(parse_url(place).url if is_url(place) else place for place in task.beside)
    return task.model_copy(update={"environment": environment, "repo": repo, "beside": beside})


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
        check(attempt)
    return finish_run(attempt)


def check(attempt: Attempt) -> None:
    """The user's own check, where there is one and work that it can be asked of."""
    if attempt.prepared.task.check:
        from runner.run.check import check_work, is_due

        if is_due(attempt):
            check_work(attempt)


def collect(attempt: Attempt, workspace: Workspace, collector: Collector) -> None:
    """Collect; with a new collector when the waiting one has gone, as it does when the engine restarts."""
    from runner.run.collect import collect_attempt  # loaded by now: see collector_beside

    try:
        collect_attempt(attempt, workspace, collector)
    except ContainerGoneError:
        with open_collector(place_of_collector(attempt)) as another:
            collect_attempt(attempt, workspace, another)


def let_the_agent_work(attempt: Attempt, beside: Beside) -> None:
    """Sandbox, agent, stop: the sandbox is removed when this returns, whatever happened.

    The agent begins only when there is a collector for its work. One that talks to a model works for minutes: its
    collector is made before it begins, and started after.
    """
    host, journal, prepared = attempt.host, attempt.journal, attempt.prepared
    with ExitStack() as removal:
        if prepared.reader is None:
            beside.go.set()
        with journal.phase(Phase.SANDBOX):
            gateway = removal.enter_context(network_of(attempt))
            started = removal.enter_context(
                start_sandbox(host.engine, attempt.spec, prepared.secrets, attempt.paths.control, host.clock)
            )
            if prepared.reader is None:
                beside.result()
            else:
                beside.made()
                Timer(LATER, beside.go.set).start()
        with journal.phase(Phase.AGENT), following(attempt) as follow, open_log(attempt, follow) as log:
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

    limits = attempt.prepared.policy.limits
    with open_network(route, attempt.paths, attempt.host.outside, limits) as gateway:
        try:
            yield gateway
        finally:
            granted = attempt.prepared.policy.network.upload_limit
            attempt.spending = Spending(gateway.spent, limits)
            attempt.uploaded = LimitUse(granted=granted, peak=gateway.uploaded, hit=gateway.upload_exceeded)
            if gateway.upload_exceeded:
                limit = format_size(granted)
                attempt.journal.notice(f"The network was cut off: network.upload_limit = {limit} was reached.")


@contextmanager
def following(attempt: Attempt) -> Iterator[Show | None]:
    """Who reads the agent's event stream, where it has one; what it told is known when the scope ends."""
    reader, paths = attempt.prepared.reader, attempt.paths
    if reader is None:
        yield None
        return
    from runner.run.follow import Follower, begin_transcript  # records that other runs need not wait for

    watch = attempt.host.watch
    begin_transcript(paths, attempt.prepared.task, secrets_of_run(attempt))
    with Follower(reader, activity=paths.activity, transcript=paths.transcript, watch=watch) as follower:
        try:
            yield follower.feed
        finally:
            attempt.told = follower


def open_log(attempt: Attempt, follow: Show | None) -> AgentLog:
    """Where the agent's output goes."""
    return AgentLog(
        attempt.paths.agent_log,
        limit=attempt.prepared.policy.limits.output,
        secrets=secrets_of_run(attempt),
        show=attempt.host.show,
        follow=follow,
    )


def measured(attempt: Attempt) -> TreeSize:
    """What the agent has written: in the workspace, and in the folder of its own."""
    enough, paths = attempt.prepared.policy.limits.files, attempt.paths
    size = measure_tree(paths.workspace, enough=enough)
    if not attempt.prepared.command.keeps:
        return size
    own = measure_tree(paths.agent, enough=enough)
    return TreeSize(bytes=size.bytes + own.bytes, entries=size.entries + own.entries)


def pulse_of(attempt: Attempt, gateway: Gateway | None) -> Callable[[float], None]:
    """Tells whoever watches how far the run has got; where nobody reads the agent's events, nothing."""
    if attempt.prepared.reader is None:
        return lambda _: None
    from runner.model.activity import Progress

    limits = attempt.prepared.policy.limits

    def pulse(seconds: float) -> None:
        used = Spending(gateway.spent if gateway else (), limits)
        left = max(0.0, limits.wall_clock - seconds)
        with suppress(OSError, ValueError):  # whoever watched has gone; the run goes on
            attempt.host.watch(Progress(tokens=used.tokens, cost_usd=used.cost_usd, seconds=seconds, left=left))

    return pulse


def watched(attempt: Attempt, box: Box, log: AgentLog, gateway: Gateway | None) -> Watched:
    """What the watchdog looks at."""
    policy = attempt.prepared.policy
    return Watched(
        box=box,
        limits=policy.limits,
        log=log,
        clock=attempt.host.clock,
        cancellation=attempt.host.cancellation,
        measure=lambda: measured(attempt),
        disk=attempt.paths.directory,
        writable_root=policy.sandbox.writable_root,
        tell=attempt.journal.event,
        network_fault=(lambda: gateway.failed) if gateway else str,
        over_budget=(lambda: Spending(gateway.spent, policy.limits).breach) if gateway else str,
        pulse=pulse_of(attempt, gateway),
    )
