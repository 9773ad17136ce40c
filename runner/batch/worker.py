"""Carries one try of one task out, in a thread of its own; whatever happens there, the batch hears of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from runner.batch.live import Live
from runner.batch.settled import Settled, settled_of
from runner.errors import EngineError, PaddockError
from runner.escape import escape_text
from runner.model.batch import Work
from runner.model.paths import CONTEXT
from runner.model.result import Outcome, RunResult
from runner.model.task import USUAL_ROUNDS, Task
from runner.run.context import find_earlier
from runner.run.execute import run_task
from runner.run.host import Host
from runner.run.rounds import Loop, policy_base_of, run_rounds
from runner.run.take_up import NOT_BEGUN, take_up
from runner.store.ledger import RUNNING, Ledger, RunRow
from runner.store.runs import keeps_work, read_result, run_paths

LOOKED_AT = 16 * 1024
"""Bytes of an agent's log in which its provider's refusal would be."""
_OVERLOAD = re.compile(rb"overloaded|rate.?limit|too many requests|resource.?exhausted|\b(429|529)\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Start:
    """One try, and what it begins with."""

    key: str
    """By what the ledger knows it."""
    work: str
    """JSON."""
    provider: str = ""
    earlier: dict[str, str] = field(default_factory=dict)
    """Runs of the tasks that it needs, by their names."""
    base: str = ""
    """The branch of the one that it goes on with."""
    begun: tuple[str, ...] = ()
    """Its runs that were begun and are unfinished: they are taken up, and none is begun anew."""


def carry_out(start: Start, host: Host, live: Live, templates: Path) -> Settled:
    """One try, from its start to what the batch keeps of it. What it raises is a bug: see `told_as_bug`."""
    host = replace(
        host,
        cancellation=live.cancellation,
        tell=live.event,
        show=lambda *_: None,  # it is in the run's log
        watch=live.activity,
        opened=live.begin_run,
    )
    try:
        if start.begun:
            return recovered(start, host)
        result = begun(start, host, templates)
    except PaddockError as error:
        return not_started(error)
    except OSError as error:
        return Settled(Outcome.ENGINE_FAILED.value, ok=False, fault="engine", reason=escape_text(str(error)))
    return settled_of(result, overloaded=bool(start.provider) and is_overloaded(result, host))


def told_as_bug(error: BaseException, live: Live) -> Settled:
    """What nobody foresaw in one task: told as such, and the others go on."""
    reason = escape_text(f"this is a bug in Paddock: {type(error).__name__}: {error}")
    return Settled(Outcome.ENGINE_FAILED.value, ok=False, fault="never", run=live.run, reason=reason)


def not_started(error: PaddockError) -> Settled:
    """What was refused, or failed before there was a run."""
    engines = isinstance(error, EngineError) or isinstance(error.__cause__, EngineError)
    outcome = Outcome.ENGINE_FAILED if engines else Outcome.REFUSED
    reason = escape_text(" ".join(filter(None, (error.message, error.hint))))
    return Settled(outcome.value, ok=False, fault="engine" if engines else "never", reason=reason)


def begun(start: Start, host: Host, templates: Path) -> RunResult:
    """A run of its own, or the rounds of one."""
    work = Work.model_validate_json(start.work)
    task = task_of(work.task, start, host)
    if not (work.until or work.review):
        return run_task(task, host)
    loop = Loop(max_rounds=work.max_rounds or USUAL_ROUNDS, review=work.review, templates=templates)
    return run_rounds(task, loop, host)


def task_of(task: Task, start: Start, host: Host) -> Task:
    """The task, with what came before it at hand. The policy stays that of the commit that all of it began at."""
    task = task.model_copy(update={"batch": start.key, "earlier": start.earlier})
    if start.base:
        before = read_result(run_paths(host.settings.state_dir, next(iter(start.earlier.values()))))
        task = task.model_copy(update={"base": start.base, "policy_base": policy_base_of(before, host)})
    if task.prompt and (found := find_earlier(task, host)):
        listed = "\n".join(f"- {CONTEXT}/{name}" for name in found)
        note = f"Earlier work that this builds on can be read here (git can fetch from a bundle):\n{listed}"
        task = task.model_copy(update={"prompt": f"{task.prompt}\n\n{note}"})
    return task


def recovered(start: Start, host: Host) -> Settled:
    """What a try came to that was left unfinished: its run is taken up, and nothing is done twice.

    One whose agent had not begun did nothing, so that it is no answer to what the task asks.
    """
    state = host.settings.state_dir
    with Ledger(host.ledger) as ledger:
        for run in start.begun:
            row = ledger.get(run)
            if row is not None and is_unfinished(row, state):
                take_up(row, run_paths(state, run), host, ledger)
    results = [read_result(run_paths(state, run)) for run in start.begun]
    own = [each for each in results if each.agent == results[0].agent]
    whole = [each for each in own if each.rounds]
    if had_not_begun(own[-1]) and len(own) == 1 and not host.cancellation.requested:
        reason = "its agent had not begun when the process died"
        return settled_of(own[-1])._replace(fault="unbegun", reason=reason)
    last = (whole or own)[-1]
    return settled_of(last, overloaded=bool(start.provider) and is_overloaded(last, host))


def had_not_begun(result: RunResult) -> bool:
    """Whether a run was taken up, by this process or by one that died since, and its agent had not begun."""
    return result.outcome is Outcome.CANCELLED and NOT_BEGUN in result.notices


def is_unfinished(row: RunRow, state: Path) -> bool:
    """Whether a run is under way, or the engine failed it while its work was still to be collected.

    Such a run is gone on with: its agent may have done all that it was asked, which is not done a second time.
    """
    lost = row.outcome == Outcome.ENGINE_FAILED and not row.branch
    return row.state == RUNNING or (lost and keeps_work(run_paths(state, row.id)))


def is_overloaded(result: RunResult, host: Host) -> bool:
    """Whether an agent failed because its model's provider had no room for it, as it says at its end.

    That is the agent's word: the worst that a lie brings is another try of its own task, and their number is bounded.
    """
    path = run_paths(host.settings.state_dir, result.id).agent_log
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - LOOKED_AT))
            return _OVERLOAD.search(log.read(LOOKED_AT)) is not None
    except OSError:
        return False
