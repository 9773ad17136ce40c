"""One run, start to end: `run_task` reads as DESIGN 3 does."""

from __future__ import annotations

from contextlib import ExitStack, closing, suppress
from threading import Timer

from runner.errors import ContainerGoneError, EngineUnavailableError
from runner.model.events import Notice, Phase
from runner.model.policy_file import files_json
from runner.model.result import RunResult
from runner.model.spec import Role
from runner.model.task import Task
from runner.plan import collector_spec, plan_sandbox
from runner.repo.urls import is_url, parse_url
from runner.repo.workspace import Workspace
from runner.run.attempt import Attempt, hands_over, place_of_collector
from runner.run.collector import LATER, Beside, collector_beside, open_collector
from runner.run.host import Host
from runner.run.journal import Journal, remembered
from runner.run.launch import Launch, launching
from runner.run.prepare import Prepared, prepare, request_of
from runner.run.start import close_quietly
from runner.run.surroundings import open_workspace
from runner.store.files import write_whole
from runner.store.half_made import being_made
from runner.store.ledger import Ledger, RunRow
from runner.store.owner import owner_alive, this_process
from runner.store.runs import RunPaths, create_run
from runner.store.tree import remove_tree


def run_task(task: Task, host: Host) -> RunResult:
    """Carry out one task and give its result document, which is also on the disk.

    Raises `RefusedError`, `UsageError` or `EngineError` when nothing was started; after that every
    failure is in the result.
    """
    begin = host.clock.monotonic()
    with host.cancellation.interrupting():
        prepared = prepare(task, host)
    with Ledger(host.ledger) as ledger:
        tell_of_orphans(ledger, host)
        attempt = begin_run(prepared, host, ledger)
        attempt.journal.timings[Phase.PREPARE.value] = round(host.clock.monotonic() - begin, 4)
        return carry_out(attempt)


def tell_of_orphans(ledger: Ledger, host: Host) -> None:
    """Say that there are runs whose Paddock died; `paddock recover` does something about it."""
    lost = [row.id for row in ledger.list(running_only=True) if not owner_alive(row)]
    if lost:
        more = f" and {len(lost) - 1} more" if lost[1:] else ""
        with suppress(OSError, ValueError):
            host.tell(Notice(text=f"The Paddock of {lost[0]}{more} died; `paddock recover` takes up what it left."))


def begin_run(prepared: Prepared, host: Host, ledger: Ledger) -> Attempt:
    """The run's directory and its row in the ledger: evidence that exists before the first effect."""
    state, task = host.settings.state_dir, prepared.task
    ledger.refuse_name_in_use(task.name)
    paths = create_run(state, prepared.slug, host.clock.now().date())
    with being_made(paths.directory), ExitStack() as undo:
        undo.callback(remove_tree, paths.directory)
        request = request_of(prepared, host.settings, paths)
        spec, collector = plan_sandbox(request), collector_spec(request, prepared.collector_image)
        write_whole(paths.task, without_secrets(prepared).model_dump_json(indent=2) + "\n")
        write_whole(paths.policy, prepared.policy.model_dump_json(indent=2) + "\n")
        write_whole(paths.policy_files, files_json(prepared.loaded.evidence))
        if task.observe and prepared.route:
            from runner.egress.observe import given_rules

            write_whole(paths.given_rules, given_rules(prepared.route.rules).model_dump_json(indent=2) + "\n")
        write_whole(paths.spec, spec.model_dump_json(indent=2) + "\n")
        journal = Journal(paths, ledger, clock=host.clock, tell=host.tell)
        journal.open(row_of(prepared, paths, journal.started_at))
        undo.pop_all()
    host.opened(paths)
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
        batch=prepared.task.batch,
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
        with launching(attempt) as launch:
            workspace = open_workspace(attempt, launch)
            if workspace is not None and not attempt.host.cancellation.requested:
                work_and_collect(attempt, launch, workspace)
        check(attempt)
    from runner.run.finish import finish_run  # loaded by now: see collector_beside

    return finish_run(attempt)


def work_and_collect(attempt: Attempt, launch: Launch, workspace: Workspace) -> None:
    """Let the agent work, and collect what it left, however it ended."""
    with collector_beside(place_of_collector(attempt), on_demand=hands_over(attempt)) as beside:
        with remembered(attempt.errors):
            let_the_agent_work(attempt, launch, beside)
        if attempt.began:
            collect(attempt, workspace, beside)


def check(attempt: Attempt) -> None:
    """The user's own check, where there is one and work that it can be asked of."""
    if attempt.prepared.task.check:
        from runner.run.check import check_work, is_due

        if is_due(attempt):
            check_work(attempt)


def collect(attempt: Attempt, workspace: Workspace, beside: Beside) -> None:
    """Collect; with a new collector when the waiting one has gone, as it does when the engine restarts."""
    from runner.run.collect import collect_attempt  # loaded by now: see collector_beside

    try:
        collect_attempt(attempt, workspace, beside.result)
    except (ContainerGoneError, EngineUnavailableError):
        attempt.patience.await_engine(attempt.paths.id)
        remove_collectors(attempt)
        with open_collector(place_of_collector(attempt)) as another:
            collect_attempt(attempt, workspace, lambda: another)


def remove_collectors(attempt: Attempt) -> None:
    """An engine that restarted keeps what it ended, and with that its name. Raises `EngineError`."""
    for found in attempt.host.engine.find(run=attempt.paths.id):
        if found.role == Role.COLLECTOR:
            close_quietly(attempt.host.engine.open(found.id))


def let_the_agent_work(attempt: Attempt, launch: Launch, beside: Beside) -> None:
    """Sandbox, agent, stop: the sandbox is removed when this returns, whatever happened.

    The agent begins only when there is a collector for its work, unless the sandbox hands it over itself. One that
    talks to a model works for minutes: its collector is made before it begins, and started after.
    """
    journal, prepared = attempt.journal, attempt.prepared
    with closing(launch):
        if prepared.reader is None:
            beside.go.set()
        with journal.phase(Phase.SANDBOX):
            launch.start()
            from runner.run import at_work  # while the engine starts the sandbox

            at_work.get_ready(attempt)
            started = launch.result()
            if prepared.reader is None:
                beside.ready()
            else:
                beside.made()
                Timer(LATER, beside.go.set).start()
        at_work.see_through(attempt, started, launch.gateway)
        with journal.phase(Phase.STOP):
            launch.close()
