"""The end of a run: what was started is gone, what is not needed is removed, and the result is written, last."""

from __future__ import annotations

from runner.clock import timestamp
from runner.errors import EngineError, RefusedError
from runner.model.events import Phase
from runner.model.result import Digests, LimitUse, Outcome, RunResult
from runner.report.outcome import End, decide_outcome, exit_code_of, reason_of
from runner.run.attempt import Attempt
from runner.store.runs import write_result
from runner.store.tree import remove_tree


def finish_run(attempt: Attempt) -> RunResult:
    """Clean up, decide the outcome, write the result document, close the ledger's row."""
    with attempt.journal.phase(Phase.REPORT):
        leaks = remove_leftovers(attempt)
    result = result_of(attempt, tuple(leaks))
    write_result(attempt.paths, result)
    attempt.journal.close(result)
    return result


def remove_leftovers(attempt: Attempt) -> list[str]:
    """Containers that still carry the run's label, and the folders that only the run needed; what stayed is told."""
    leaks = remove_containers(attempt)
    paths = attempt.paths
    folders = [paths.collector_out, paths.etc, paths.control, paths.quarantine]
    if not keeps_workspace(attempt):
        folders += [paths.workspace, paths.collector_in]
    for folder in folders:
        leaks += remove_tree(folder)
    return leaks


def remove_containers(attempt: Attempt) -> list[str]:
    """One more try for each container of the run that is still there."""
    leaks = []
    try:
        for found in attempt.host.engine.find(run=attempt.paths.id):
            try:
                attempt.host.engine.open(found.id).close()
            except EngineError as error:
                leaks.append(f"container {found.name}: {error.message}")
    except EngineError as error:
        leaks.append(f"containers of this run could not be listed: {error.message}")
    return leaks


def keeps_workspace(attempt: Attempt) -> bool:
    """Work is never lost: a workspace goes only when all that was in it has been taken out."""
    return attempt.began and (attempt.collected is None or not attempt.collected.complete)


def result_of(attempt: Attempt, leaks: tuple[str, ...]) -> RunResult:
    """The result document of a run whose phases are over."""
    collected, workspace, prepared = attempt.collected, attempt.workspace, attempt.prepared
    end = end_of(attempt)
    outcome = outcome_of(attempt, end)
    return RunResult(
        id=attempt.paths.id,
        outcome=outcome,
        exit_code=exit_code_of(outcome, expect_changes=prepared.task.expect_changes),
        reason=reason_of(outcome, end, prepared.policy.limits),
        agent_exit_code=end.exit_code,
        repo=str(prepared.source.path),
        branch=collected.branch if collected else "",
        base=workspace.base if workspace else prepared.source.base_sha,
        head=collected.head if collected else "",
        branches=collected.branches if collected else (),
        commits=collected.commits if collected else (),
        uncommitted_collected=collected.uncommitted if collected else False,
        gates=collected.gates if collected else (),
        limits=limits_of(attempt),
        usage=usage_of(attempt),
        timings=attempt.journal.timings,
        digests=Digests(policy=prepared.policy.digest(), spec=attempt.spec.digest(), image=attempt.spec.image.id),
        paths=existing_paths(attempt),
        notices=tuple(attempt.journal.notices),
        leaks=leaks,
        next=next_commands(attempt, outcome),
        started_at=attempt.journal.started_at,
        ended_at=timestamp(attempt.host.clock.now()),
    )


def end_of(attempt: Attempt) -> End:
    """What is known of the end, as the pure decision needs it."""
    supervised, collected = attempt.supervised, attempt.collected
    ended = supervised.exit if supervised else None
    return End(
        stopped=supervised.stopped if supervised else None,
        exit_code=ended.code if ended else None,
        out_of_memory=ended.out_of_memory if ended else False,
        gates=collected.gates if collected else (),
        changed=bool(collected and collected.changed),
        failure="; ".join(" ".join(filter(None, (error.message, error.hint))) for error in attempt.errors),
    )


def outcome_of(attempt: Attempt, end: End) -> Outcome:
    """Before the agent began there is only ours to tell: cancelled, refused, or failed."""
    if attempt.began:
        return decide_outcome(end)
    if attempt.errors:
        return Outcome.REFUSED if isinstance(attempt.errors[0], RefusedError) else Outcome.ENGINE_FAILED
    return Outcome.CANCELLED


def limits_of(attempt: Attempt) -> dict[str, LimitUse]:
    """Every limit of the policy: what was granted, the highest use that was seen, whether it was reached."""
    limits, supervised = attempt.prepared.policy.limits, attempt.supervised
    if supervised is None:
        return {}
    peaks, stopped = supervised.peaks, supervised.stopped
    ended = supervised.exit
    return {
        "cpus": LimitUse(granted=limits.cpus),
        "memory": LimitUse(granted=limits.memory, peak=peaks.memory, hit=bool(ended and ended.out_of_memory)),
        "pids": LimitUse(granted=limits.pids, peak=peaks.pids, hit=(peaks.pids or 0) >= limits.pids),
        "disk": LimitUse(granted=limits.disk, peak=peaks.disk, hit=peaks.disk > limits.disk),
        "files": LimitUse(granted=limits.files, peak=peaks.files, hit=peaks.files > limits.files),
        "output": LimitUse(granted=limits.output, peak=supervised.output, hit=supervised.output > limits.output),
        "wall_clock": LimitUse(
            granted=limits.wall_clock, peak=round(supervised.seconds, 3), hit=stopped is Outcome.TIMED_OUT
        ),
        "idle": LimitUse(granted=limits.idle, peak=round(peaks.silence, 3), hit=stopped is Outcome.IDLE),
    }


def usage_of(attempt: Attempt) -> dict[str, float]:
    """What was used and has no limit of its own."""
    if attempt.supervised is None:
        return {}
    peaks = attempt.supervised.peaks
    numbers = {"cpu_seconds": peaks.cpu_seconds, "bytes_written": peaks.bytes_written}
    return {name: float(value) for name, value in numbers.items() if value is not None}


def existing_paths(attempt: Attempt) -> dict[str, str]:
    """The files that a reader of the result may want, as far as they exist."""
    paths = attempt.paths
    named = {
        "run": paths.directory,
        "log": paths.agent_log,
        "events": paths.events,
        "bundle": paths.bundle,
        "diff": paths.diff,
        "workspace": paths.workspace,
    }
    return {name: str(path) for name, path in named.items() if path.exists()}


def next_commands(attempt: Attempt, outcome: Outcome) -> tuple[str, ...]:
    """What to type next."""
    run, collected = attempt.paths.id, attempt.collected
    commands = [f"paddock show {run}"]
    if collected and collected.changed:
        commands.append(f"paddock diff {run}")
    if collected and collected.branch and outcome is Outcome.COMPLETED:
        commands.append(f"paddock merge {run}")
    if attempt.began:
        commands.append(f"paddock logs {run}")
    return tuple(commands)
