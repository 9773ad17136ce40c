"""The end of a run: what was started is gone, what is not needed is removed, and the result is written, last."""

from __future__ import annotations

from pathlib import Path

from runner.clock import timestamp
from runner.errors import EngineError, EngineUnavailableError, RefusedError, StoreError
from runner.model.events import Phase
from runner.model.network import NetworkRow
from runner.model.result import Digests, LimitUse, Outcome, RunResult
from runner.report.answers import touched_files
from runner.report.outcome import End, decide_outcome, exit_code_of, reason_of
from runner.run.attempt import Attempt
from runner.run.record import keep_record
from runner.run.spending import Spending, as_told
from runner.run.what_next import next_commands
from runner.store.files import write_whole
from runner.store.runs import RunPaths, write_result
from runner.store.tree import remove_tree

MAX_WHYS = 5


def finish_run(attempt: Attempt) -> RunResult:
    """Clean up, decide the outcome, write the result document, close the ledger's row."""
    with attempt.journal.phase(Phase.REPORT):
        leaks = remove_leftovers(attempt)
        keep_answer(attempt)
    result = result_of(attempt, tuple(leaks))
    for trouble in keep_record(attempt, result):
        attempt.journal.notice(trouble)
    told = {"notices": tuple(attempt.journal.notices), "paths": existing_paths(attempt)}
    result = result.model_copy(update=told)
    write_result(attempt.paths, result)
    attempt.paths.collected.unlink(missing_ok=True)  # the result says it all now
    attempt.journal.close(result)
    return result


def keep_answer(attempt: Attempt) -> None:
    """Write the agent's last words to a file of their own; where they are all that was asked for, say what is not."""
    told, collected = attempt.told, attempt.collected
    if told and told.answer.strip():
        text = told.answer.rstrip("\n") + "\n"
        try:
            write_whole(attempt.paths.answer, text.encode("utf-8", "backslashreplace"))
        except StoreError as error:  # the result document has them too
            attempt.journal.notice(error.message)
    if attempt.prepared.task.result != "branch" and collected and collected.changed:
        attempt.journal.notice("An answer was asked for: what was changed is on no branch, only in changes.bundle.")


def remove_leftovers(attempt: Attempt) -> list[str]:
    """Containers that still carry the run's label, and the folders that only the run needed; what stayed is told."""
    leaks = remove_containers(attempt)
    paths = attempt.paths
    if keeps_workspace(attempt):
        tell_what_is_kept(attempt)
    else:
        leaks += remove_workspace(paths)
    for folder in needed_by_the_run(paths):
        leaks += remove_tree(folder)
    return leaks


def needed_by_the_run(paths: RunPaths) -> tuple[Path, ...]:
    """What nobody needs when it is over."""
    beside = (paths.context, paths.beside, paths.directory / "beside.index")
    check = (paths.directory / f"check-{what}" for what in ("workspace", "control", "index"))
    half_written = paths.directory.glob(".*.tmp")  # by a Paddock that died
    made = (paths.collector_out, paths.etc, paths.control, paths.lent, paths.given, paths.quarantine)
    return (*made, *beside, *check, *half_written)


def remove_workspace(paths: RunPaths) -> list[str]:
    """Everything of the workspace; what stayed is told.

    The record that there is work goes first, and the workspace by one rename: whoever took a half removed one for the
    agent's work would make a branch that deletes the user's files.
    """
    leaks = remove_tree(paths.discarded)
    try:
        paths.recovery.unlink(missing_ok=True)
        if paths.workspace.exists():
            paths.workspace.rename(paths.discarded)
    except OSError as error:
        return [*leaks, f"{paths.workspace}: {error.strerror}"]
    return leaks + remove_tree(paths.discarded) + remove_tree(paths.collector_in)


def tell_what_is_kept(attempt: Attempt) -> None:
    """Say where the agent's work still is, and why."""
    paths, collected = attempt.paths, attempt.collected
    if collected is None:
        text = f"The work was not collected; it is kept in {paths.workspace}."
    else:
        whys = collected.left_out[:MAX_WHYS]
        more = len(collected.left_out) - len(whys)
        listed = "; ".join([*whys, *([f"and {more} more"] if more else [])])
        text = f"Not everything came out, so the workspace is kept in {paths.workspace}: {listed}"
    attempt.journal.notice(text)


def remove_containers(attempt: Attempt) -> list[str]:
    """One more try for each container of the run that is still there; an engine that has gone away is waited for."""
    try:
        try:
            return try_to_remove(attempt)
        except EngineUnavailableError:
            attempt.patience.await_engine(attempt.paths.id)
            return try_to_remove(attempt)
    except EngineError as error:
        return [f"containers of this run could not be listed: {error.message}"]


def try_to_remove(attempt: Attempt) -> list[str]:
    """What could not be removed. Raises `EngineError` when the engine does not say what there is."""
    leaks = []
    for found in attempt.host.engine.find(run=attempt.paths.id):
        try:
            attempt.host.engine.open(found.id).close()
        except EngineUnavailableError:
            raise
        except EngineError as error:
            leaks.append(f"container {found.name}: {error.message}")
    return leaks


def keeps_workspace(attempt: Attempt) -> bool:
    """Work is never lost: a workspace goes only when all that was in it has been taken out."""
    return attempt.began and (attempt.collected is None or bool(attempt.collected.left_out))


def result_of(attempt: Attempt, leaks: tuple[str, ...]) -> RunResult:
    """The result document of a run whose phases are over."""
    collected, workspace, prepared = attempt.collected, attempt.workspace, attempt.prepared
    end = end_of(attempt)
    outcome = outcome_of(attempt, end)
    denials, would_deny = denied(attempt)
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
        artifacts=collected.artifacts if collected else (),
        denials=denials,
        would_deny=would_deny,
        limits=limits_of(attempt),
        agent=prepared.task.agent,
        answer=attempt.told.answer if attempt.told else "",
        session=attempt.told.session if attempt.told else "",
        continues=prepared.task.continues,
        touched=touched_files(attempt.told.answer) if attempt.told and prepared.task.result == "touched" else (),
        check=attempt.checked,
        spent=(used := spending_of(attempt)).rows,
        cost_usd=used.cost_usd if used.rows else None,
        usage=usage_of(attempt),
        timings=attempt.journal.timings,
        digests=Digests(policy=prepared.policy.digest(), spec=attempt.spec.digest(), image=attempt.spec.image.id),
        policy_files=prepared.loaded.evidence,
        paths=existing_paths(attempt),
        notices=tuple(attempt.journal.notices),
        leaks=leaks,
        next=next_commands(attempt, outcome),
        started_at=attempt.journal.started_at,
        # A clock that was set back meanwhile ends no run before its start.
        ended_at=max(attempt.journal.started_at, timestamp(attempt.host.clock.now())),
    )


def denied(attempt: Attempt) -> tuple[tuple[NetworkRow, ...], tuple[NetworkRow, ...]]:
    """What the network did not give; and what it gave an observed run that the policy would not have given."""
    if not attempt.paths.egress.exists():
        return (), ()
    from runner.run import network  # only where there was one

    return network.denied(attempt.paths, attempt.prepared.route if attempt.prepared.task.observe else None)


def end_of(attempt: Attempt) -> End:
    """What is known of the end, as the pure decision needs it."""
    supervised, collected = attempt.supervised, attempt.collected
    ended = supervised.exit if supervised else None
    stopped = supervised.stopped if supervised else None
    if attempt.checked and attempt.checked.stopped is Outcome.CANCELLED:
        stopped = Outcome.CANCELLED
    return End(
        stopped=stopped,
        exit_code=ended.code if ended else None,
        out_of_memory=ended.out_of_memory if ended else False,
        gates=collected.gates if collected else (),
        changed=has_result(attempt),
        left=bool(collected and collected.left_out),
        check_failed=attempt.checked is not None
        and (attempt.checked.exit_code != 0 or attempt.checked.stopped is not None),
        budget=attempt.spending.breach if attempt.spending else "",
        failure="; ".join(" ".join(filter(None, (error.message, error.hint))) for error in attempt.errors),
    )


def has_result(attempt: Attempt) -> bool:
    """Whether there is what the task was to bring: commits, or words."""
    if attempt.prepared.task.result != "branch":
        return bool(attempt.told and attempt.told.answer)
    return bool(attempt.collected and attempt.collected.changed)


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
    uploaded = {"upload": attempt.uploaded} if attempt.uploaded else {}
    budget = attempt.spending.limit_uses() if attempt.spending else {}
    return (
        uploaded
        | budget
        | {
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
    )


def spending_of(attempt: Attempt) -> Spending:
    """What was used of models: as the gateway counted it; where it saw nothing, as the agent says."""
    limits = attempt.prepared.policy.limits
    if attempt.spending and attempt.spending.rows:
        return attempt.spending
    told = attempt.told.reported.values() if attempt.told else ()
    return Spending(as_told(told) if told else (), limits)


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
        "transcript": paths.transcript,
        "answer": paths.answer,
        "egress": paths.egress,
        "bundle": paths.bundle,
        "diff": paths.diff,
        "artifacts": paths.artifacts,
        "record": paths.record,
        "workspace": paths.workspace,
    }
    return {name: str(path) for name, path in named.items() if path.exists()}
