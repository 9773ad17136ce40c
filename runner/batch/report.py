"""Reads what a batch left, for a report: its rows and events at once, what a run left only when it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from runner.batch.meter import usage_file
from runner.batch.report_result import bounded, counted
from runner.batch.report_tries import Tries, tries_of
from runner.batch.standing import DIED, TaskState, state_of, task_states
from runner.clock import Clock, timestamp
from runner.errors import StoreError
from runner.model.batch_report import (
    AttemptFacts,
    BatchHead,
    Evidence,
    ReportParts,
    ReportTask,
    TaskFacts,
    Totals,
    Try,
    UsagePoint,
)
from runner.store.batches import DONE, QUEUED, RUNNING, SKIPPED, AttemptRow, Batches, BatchRow
from runner.store.files import read_bounded, read_start
from runner.store.runs import read_result, run_paths

MOST_DIFF = 64 * 1024
"""Bytes of one patch."""
ALL_DIFFS = 8 * 1024 * 1024
"""Bytes of all patches together; each has its share, but never less than `LEAST_DIFF`."""
LEAST_DIFF = 4 * 1024
MOST_USAGE = 16 * 1024 * 1024


def report_of(state: Path, row: BatchRow, batches: Batches, clock: Clock) -> ReportParts:
    """Everything that there is to tell of a batch, at work or over. Raises `StoreError`."""
    now = timestamp(clock.now())
    standing = state_of(row)
    tries = tries_of(state, row.id)
    until = now if standing == RUNNING else ""
    facts = [_facts(state, each, tries, until) for each in task_states(row.id, batches)]
    head = BatchHead(
        id=row.id,
        state=standing,
        why=row.why,
        file=row.file,
        created_at=row.created_at,
        ended_at=row.ended_at,
        made_at=now,
        totals=_totals(facts, row.created_at, until or row.ended_at),
        usage=_usage(usage_file(state, row.id)),
    )
    attempts = sum(len(each.attempts) for each in facts)
    share = max(LEAST_DIFF, min(MOST_DIFF, ALL_DIFFS // max(1, attempts)))
    return ReportParts(head=head, facts=facts, tasks=Tasks(state, facts, share))


@dataclass(frozen=True)
class Tasks:
    """Each task with what it left; one at a time is in memory."""

    state: Path
    facts: Sequence[TaskFacts]
    share: int
    """Bytes of each patch."""

    def __iter__(self) -> Iterator[ReportTask]:
        for each in self.facts:
            evidence = tuple(_evidence(self.state, attempt, self.share) for attempt in each.attempts)
            yield ReportTask(**dict(each), evidence=evidence)


def _facts(state: Path, standing: TaskState, tries: Tries, until: str) -> TaskFacts:
    task = standing.task
    found = [(row, tries.get((task.name, row.attempt), [])) for row in standing.attempts]
    return TaskFacts(
        number=task.number,
        name=task.name,
        repo=task.repo,
        agent=task.agent,
        tags=tuple(json.loads(task.tags)),
        needs=tuple(json.loads(task.needs)),
        state=_seen(standing.word, until),
        ok=standing.ok,
        cpus=task.cpus,
        memory=task.memory,
        stands=standing.attempts.index(standing.best),
        attempts=tuple(_attempt(state, row, own, until) for row, own in found),
    )


def _attempt(state: Path, row: AttemptRow, tries: Sequence[Try], until: str) -> AttemptFacts:
    closed = tuple(_closed(row, tries))
    plain = AttemptFacts(
        attempt=row.attempt,
        state=_seen(row.state, until),
        outcome=row.outcome if row.state == DONE else "",
        ok=bool(row.ok),
        chosen=bool(row.chosen),
        reason=row.reason,
        check=row.check,
        run=row.run,
        branch=row.branch,
        commits=row.commits,
        cost_usd=row.cost_usd,
        started_at=row.started_at,
        ended_at=row.ended_at,
        seconds=sum(seconds_between(each.began_at, each.ended_at or until) for each in closed),
        tries=closed,
    )
    try:
        return plain.model_copy(update=counted(read_result(run_paths(state, row.run)))) if _is_over(row) else plain
    except StoreError:
        return plain  # `_evidence` tells why


def _seen(state: str, until: str) -> str:
    """Where something stands, given that its batch is at work until now, or is not."""
    return DIED if state == RUNNING and not until else state


def _is_over(row: AttemptRow | AttemptFacts) -> bool:
    return row.state == DONE and bool(row.run)


def _closed(row: AttemptRow, tries: Sequence[Try]) -> Iterator[Try]:
    """The tries, with what the ledger knows of the last one where its event was lost."""
    if not tries and row.tries and row.started_at:
        tries = [Try(attempt=row.attempt, number=row.tries, began_at=row.started_at, run=row.run)]
    yield from tries[:-1]
    for last in tries[-1:]:
        if row.state == DONE and not last.ended_at:
            yield last.model_copy(update={"ended_at": row.ended_at, "outcome": row.outcome, "reason": row.reason})
        else:
            yield last


def _evidence(state: Path, facts: AttemptFacts, share: int) -> Evidence:
    if not _is_over(facts):
        return Evidence(attempt=facts.attempt)
    paths = run_paths(state, facts.run)
    try:
        result, cut = bounded(read_result(paths))
    except StoreError as error:
        return Evidence(attempt=facts.attempt, missing=error.message)
    try:
        data, size = read_start(paths.diff, share)
    except StoreError:
        data, size = b"", 0  # a run that changed nothing has none
    if size > len(data):
        data, cut = data[: data.rfind(b"\n") + 1] or data, (*cut, "diff")
    diff = data.decode("utf-8", "backslashreplace")
    return Evidence(attempt=facts.attempt, result=result, diff=diff, diff_bytes=size, cut=cut)


def _totals(facts: Sequence[TaskFacts], began: str, ended: str) -> Totals:
    attempts = [attempt for task in facts for attempt in task.attempts]
    tries = [each for attempt in attempts for each in attempt.tries]
    ended = ended or max((each.ended_at or each.began_at for each in tries), default=began)
    states = [task.state for task in facts]
    over = [task for task in facts if task.state not in {QUEUED, RUNNING, DIED, SKIPPED}]
    return Totals(
        succeeded=sum(task.ok for task in over),
        failed=sum(not task.ok for task in over),
        skipped=states.count(SKIPPED),
        running=states.count(RUNNING),
        interrupted=states.count(DIED),
        queued=states.count(QUEUED),
        runs=len(tries),
        commits=sum(task.best.commits for task in facts),
        insertions=sum(task.best.insertions for task in facts),
        deletions=sum(task.best.deletions for task in facts),
        cost_usd=sum(each.cost_usd for each in attempts),
        tokens=sum(each.tokens for each in attempts),
        seconds=seconds_between(began, ended),
        sandbox_seconds=sum(each.seconds for each in attempts),
        cpu_seconds=sum(each.cpu_seconds for each in attempts),
    )


def _usage(path: Path) -> tuple[UsagePoint, ...]:
    """The points that can be read; a line that a crash cut short is left out."""
    try:
        lines = read_bounded(path, MOST_USAGE).splitlines()
    except StoreError:
        return ()
    points = []
    for line in lines:
        try:
            points.append(UsagePoint.model_validate_json(line))
        except ValueError:
            continue
    return tuple(points)


def seconds_between(began: str, ended: str) -> float:
    """From one time to a later one; 0 where one of them is not known."""
    if not (began and ended):
        return 0.0
    return max(0.0, (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds())
