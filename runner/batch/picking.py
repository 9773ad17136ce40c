"""Chooses what is merged, pushed and offered of a batch: attempts with a branch, by success or by an expression."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from runner.batch.standing import TaskState, task_states
from runner.batch.where import Expression, Facts
from runner.errors import RefusedError
from runner.model.batch import Work
from runner.model.result import RunResult, Verdict
from runner.repo.urls import is_url, parse_url
from runner.store.batches import DONE, AttemptRow, Batches, BatchRow, TaskRow

OF_RESULTS = frozenset({"gates", "gate"})
OF_WORK = frozenset({"model"})
OF_ATTEMPTS = frozenset({"attempt", "chosen"})
STRICTEST = (Verdict.BLOCKED, Verdict.FLAGGED, Verdict.PASSED)


class Pick(NamedTuple):
    """One attempt at a task, which left a branch."""

    task: TaskRow
    attempt: AttemptRow


def picked(
    row: BatchRow, batches: Batches, where: Expression | None, result_of: Callable[[str], RunResult]
) -> list[Pick]:
    """What is meant, the tasks of one repository side by side. Raises `RefusedError` when that is nothing.

    Without an expression: of every task that succeeded the attempt that stands for it. An expression is asked of these
    attempts, whether they succeeded or not; one that speaks of attempts, of all.
    """
    states = task_states(row.id, batches)
    if where is None:
        found = [Pick(each.task, each.best) for each in states if each.ok]
    else:
        wanted = where.fields()
        among = all_of(states) if wanted & OF_ATTEMPTS else best_of_each(states)
        found = [pick for pick in among if where.holds(facts_of(pick, row, batches, result_of, wanted))]
    with_branch = [pick for pick in found if pick.attempt.branch]
    if not with_branch:
        which = "that --where means" if where else "that succeeded"
        tail = ": none of them left a branch" if found else ""
        raise RefusedError(
            f"{row.id} has no task {which} and has a branch{tail}.",
            hint=f"`paddock batch status {row.id}` shows where each task stands.",
        )
    order = {repo: number for number, repo in reversed(list(enumerate(pick.task.repo for pick in with_branch)))}
    return sorted(with_branch, key=lambda pick: order[pick.task.repo])


def best_of_each(states: Sequence[TaskState]) -> Iterator[Pick]:
    """The attempt that stands for each task, if that is over."""
    return (Pick(each.task, each.best) for each in states if each.best.state == DONE)


def all_of(states: Sequence[TaskState]) -> Iterator[Pick]:
    """Every attempt that is over."""
    return (Pick(each.task, attempt) for each in states for attempt in each.attempts if attempt.state == DONE)


def facts_of(
    pick: Pick, row: BatchRow, batches: Batches, result_of: Callable[[str], RunResult], wanted: set[str]
) -> Facts:
    """What an expression may ask; what has to be read for it is read only where it does."""
    task, attempt = pick
    model = Work.model_validate_json(batches.work(row.id, task.number)).task.model if wanted & OF_WORK else ""
    gates = result_of(attempt.run).gates if wanted & OF_RESULTS and attempt.run else ()
    verdicts = {gate.verdict for gate in gates}
    return {
        "name": task.name,
        "repo": (task.repo, last_name(task.repo)),
        "agent": task.agent,
        "model": model,
        "tag": tuple(json.loads(task.tags)),
        "outcome": attempt.outcome,
        "check": attempt.check or "none",
        "state": "succeeded" if attempt.ok else "failed",
        "gates": next((verdict.value for verdict in STRICTEST if verdict in verdicts), "none"),
        "gate": tuple(gate.name for gate in gates if gate.verdict is not Verdict.PASSED),
        "attempt": float(attempt.attempt),
        "chosen": bool(attempt.chosen),
        "tries": float(attempt.tries),
        "commits": float(attempt.commits),
        "lines": float(attempt.lines),
        "cost": attempt.cost_usd,
    }


def last_name(repo: str) -> str:
    """What a repository is called among people."""
    return parse_url(repo).name if is_url(repo) else repo.rstrip("/").rpartition("/")[2]
