"""Taking up a run whose Paddock died: its agent is watched on to its end, and its work is collected."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from runner.errors import EngineError, PaddockError
from runner.model.events import Phase
from runner.model.result import RunResult
from runner.run.agent_log import AgentLog
from runner.run.at_work import tell_of_the_end
from runner.run.attempt import Attempt, place_of_collector
from runner.run.cancellation import Cancellation
from runner.run.collect import collect_attempt
from runner.run.collector import open_collector
from runner.run.execute import check
from runner.run.finish import finish_run
from runner.run.host import Host
from runner.run.journal import remembered
from runner.run.prepare import find_route
from runner.run.recovery import (
    attempt_on_disk,
    close_again,
    end_containers,
    find_sandbox,
    recall_use,
    recall_words,
    taken_over,
)
from runner.run.recovery_record import (
    Ending,
    Standing,
    read_beginning,
    read_ending,
    read_recovery,
    read_standing,
    read_used,
)
from runner.run.supervise import Supervised, hear_out, supervise
from runner.run.watching import following, network_of, open_log, watched
from runner.sandbox.engine import Box, Found, Times
from runner.store.ledger import Ledger, RunRow
from runner.store.runs import RunPaths
from runner.store.tree import remove_tree

NOT_CONFIRMED = 125
"""The shim's exit code when nobody told it to let the agent go."""
NOT_BEGUN = "The agent had not begun when its Paddock died."
"""The notice by which a later look at the result tells such a run from one that somebody stopped."""
CLOCKS_DIFFER = 5.0
"""Seconds by which the engine's clock and ours may disagree on the agent's age; else the time was set meanwhile."""
GAP = b"\n[paddock: the engine has not kept all of the output; what comes now may repeat some of it]\n"


def take_up(row: RunRow, paths: RunPaths, host: Host, ledger: Ledger) -> RunResult:
    """Go on with a run whose Paddock died, or collect again where that failed; the result is also on the disk.

    An agent that is still at work keeps its limits, counted from its own start, and all that it printed meanwhile is
    in its log, once. Raises `EngineError` when the engine does not answer and `RefusedError` when another Paddock is
    at it; then nothing has changed.
    """
    with taken_over(row, ledger):
        sandbox = find_sandbox(paths.id, host)
        recovery, standing = read_recovery(paths), read_standing(paths)
        if recovery is None and standing is None and paths.result.exists():
            end_containers(paths.id, host)
            return close_again(row, paths, host, ledger)
        attempt = attempt_on_disk(row, paths, host, ledger, recovery or (standing.recovery if standing else None))
        remove_tree(paths.quarantine)
        ending = read_ending(paths) or (standing.ending if standing else None)
        if ending is None and recovery is not None and sandbox is not None:
            see_to_its_end(attempt, sandbox)
            end_containers(paths.id, host)
            collect_again(attempt)
            check(attempt)
        else:
            end_containers(paths.id, host)
            collect_the_rest(attempt, ending, standing)
        if not attempt.began:
            attempt.journal.notice(NOT_BEGUN)
        return finish_run(attempt)


def end_orphan(row: RunRow, paths: RunPaths, host: Host, ledger: Ledger, *, now: bool = False) -> RunResult:
    """The same, but an agent that is still at work is asked to end, or killed `now`, and counts as cancelled."""
    return take_up(row, paths, asked_to_end(host, now=now), ledger)


def asked_to_end(host: Host, *, now: bool = False) -> Host:
    """The host of a run that is cancelled."""
    cancellation = Cancellation()
    for _ in range(2 if now else 1):
        cancellation.request()
    return replace(host, cancellation=cancellation)


def collect_again(attempt: Attempt) -> None:
    """Collect with a collector of our own, also where the agent seems not to have begun: its work is never lost."""
    if attempt.workspace is None:
        return
    with remembered(attempt.errors), open_collector(place_of_collector(attempt)) as collector:
        collect_attempt(attempt, attempt.workspace, lambda: collector)
    collected = attempt.collected
    attempt.began = attempt.began or collected is None or collected.changed or bool(collected.left_out)


def collect_the_rest(attempt: Attempt, ending: Ending | None, standing: Standing | None) -> None:
    """What is still to be done for a run whose agent was over, or never began, when its Paddock died."""
    recall_use(attempt, standing.used if standing else None)
    recall_words(attempt)
    attempt.supervised = ending.supervised if ending else Supervised(exit=None, stopped=None, seconds=0.0, output=0)
    attempt.began = ending.began if ending else read_beginning(attempt.paths) is not None
    if attempt.began and attempt.supervised and attempt.supervised.failure:
        attempt.errors.append(EngineError(attempt.supervised.failure))  # it was the engine's end, not the agent's
    if attempt.workspace is not None and read_recovery(attempt.paths) is not None:
        collect_again(attempt)
    elif standing is not None:  # all of it was taken out before the workspace began to be removed
        attempt.began, attempt.collected = attempt.began or standing.collected.changed, standing.collected
    if attempt.prepared.task.check:
        attempt.journal.notice(f"The check did not run to its end: {attempt.prepared.task.check}")


def see_to_its_end(attempt: Attempt, found: Found) -> None:
    """Watch the agent to its end; of one that is over already, hear what it had still to say."""
    box = attempt.host.engine.open(found.id)
    with suppress(EngineError):
        box.unpause()  # the Paddock that died may have made it stand still
    began = read_beginning(attempt.paths)
    age = began.seconds_ago(attempt.host.clock) if began else None
    if found.running and age is None:
        box.signal("SIGKILL")  # nobody had told it to begin
    attempt.before = read_used(attempt.paths)
    with ExitStack() as scope:
        kept = give_back(attempt, box)
        if kept:
            scope.enter_context(written_anew(attempt.paths))
        scope.enter_context(attempt.journal.phase(Phase.AGENT))
        gateway = scope.enter_context(network_of(attempt))
        follow = scope.enter_context(following(attempt))
        log = scope.enter_context(open_log(attempt, follow) if kept else no_log(attempt))
        look, times = watched(attempt, box, log, gateway), box.times()
        if found.running and age is not None:
            look.started, look.silent = attempt.host.clock.monotonic() - age, silence(times, age)
            attempt.supervised = supervise(look, box.replay())
        else:
            attempt.supervised = hear_out(look, box.replay(), times.ran)
    ended = attempt.supervised.exit
    attempt.began = began is not None and (ended is None or ended.code != NOT_CONFIRMED)
    if not attempt.began:
        attempt.supervised.failure = ""  # that the shim has ended is no failure: it was never told to go on
    tell_of_the_end(attempt, attempt.supervised, log)


def no_log(attempt: Attempt) -> AgentLog:
    """Where output goes that nobody may keep: it is counted."""
    limit = attempt.prepared.policy.limits.output
    return AgentLog(Path(os.devnull), limit=limit, secrets=(), show=lambda _stream, _data: None)


def silence(times: Times, age: float) -> float:
    """For how long the agent has been silent; where the time of day was set meanwhile, that is not known, and none."""
    return min(times.silent, age) if abs(times.ran - age) < CLOCKS_DIFFER else 0.0


def give_back(attempt: Attempt, box: Box) -> bool:
    """Get the run's secrets and its way out again; whether that could be done. Else its agent is asked to end.

    Without the values of its secrets nothing that it printed meanwhile may be kept.
    """
    values = box.variables()
    secrets = {name: values.get(name, "") for name in attempt.spec.secret_environment}
    attempt.prepared = replace(attempt.prepared, secrets=secrets)
    try:
        route = find_route(attempt.prepared.policy, attempt.spec.image, attempt.host)
    except PaddockError as error:
        attempt.host = asked_to_end(attempt.host)
        attempt.journal.notice(
            "The agent's network could not be opened again, so it was asked to end, and what it printed since then is "
            f"not kept: {error.message}"
        )
        recall_words(attempt)
        attempt.prepared = replace(attempt.prepared, reader=None)
        return False
    attempt.prepared = replace(attempt.prepared, route=route)
    return True


@contextmanager
def written_anew(paths: RunPaths) -> Iterator[None]:
    """All that the agent printed is written down once more; what the engine has not kept of it stays in the log."""
    if size_of(paths.agent_log) > size_of(paths.log_before):
        paths.agent_log.replace(paths.log_before)
    for rewritten in (paths.agent_log, paths.activity):
        rewritten.unlink(missing_ok=True)
    yield
    if size_of(paths.log_before) > size_of(paths.agent_log):
        with paths.log_before.open("ab") as log, paths.agent_log.open("rb") as rest:
            log.write(GAP)
            shutil.copyfileobj(rest, log)
        paths.log_before.replace(paths.agent_log)
    paths.log_before.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """In bytes; -1 for what is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1
