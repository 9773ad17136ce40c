"""What has to be true of a batch that was under siege: every task done exactly once, nothing lost, nothing left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from docker import APIClient

from runner.model.result import Outcome
from runner.store.batches import DONE, ENDED, AttemptRow, Batches
from runner.store.ledger import ENDED as OVER
from runner.store.ledger import Ledger, RunRow
from runner.store.runs import read_result, run_paths
from tests.integration.cli import branches, outside_of_paddock
from tests.soak.batch_faults import Siege
from tests.soak.census import of_engine, of_machine, of_repository, of_runs
from tests.unit.repo.sources import git

LOST = frozenset({Outcome.ENGINE_FAILED.value, Outcome.CANCELLED.value})
"""How a run ends that a fault ended, or that had not begun when one came."""


def verdict(siege: Siege) -> Iterator[str]:
    """Everything that is wrong."""
    with Batches(siege.ledger) as batches, Ledger(siege.ledger) as ledger:
        rows = batches.list()
        yield from (f"{row.id} is {row.state}" for row in rows if row.state != ENDED)
        if len(rows) != 1:
            yield f"there are {len(rows)} batches"
        attempts = batches.attempts(rows[0].id)
        names = {task.number: task.name for task in batches.tasks(rows[0].id)}
        runs = ledger.list()
    if len(attempts) != siege.tasks:
        yield f"there are {len(attempts)} attempts at {siege.tasks} tasks"
    for row in attempts:
        key = f"{rows[0].id}/{row.task}/{row.attempt}/"
        own = sorted((run for run in runs if run.batch.startswith(key)), key=lambda run: run.created_at)
        yield from (f"{names[row.task]}: {text}" for text in of_task(siege, row, own, names[row.task]))
    yield from of_repositories(siege, runs)
    yield from left(siege)


def of_task(siege: Siege, row: AttemptRow, runs: Sequence[RunRow], name: str) -> Iterator[str]:
    """What is wrong with one task: it succeeded once, with its last run, and whatever a fault ended did not."""
    if (row.state, row.ok) != (DONE, 1):
        yield f"{row.state}, {row.outcome}: {row.reason}"
    outcomes = [run.outcome for run in runs]
    if outcomes[-1:] != ["completed"] or set(outcomes[:-1]) - LOST:
        yield f"its runs were {outcomes}"
    if not runs or row.run != runs[-1].id or row.branch != runs[-1].branch:
        yield f"{row.run} stands for it, of {[run.id for run in runs]}"
    if len({run.batch for run in runs}) != len(runs):
        yield f"two runs are the same try: {[run.batch for run in runs]}"
    yield from of_marks(siege, runs, name)


def of_marks(siege: Siege, runs: Sequence[RunRow], name: str) -> Iterator[str]:
    """What is wrong by the agents' own marks: each began and ended once at most, the last one did, and none later."""
    path = siege.seen / name
    marks = path.read_text().splitlines() if path.exists() else []
    twice = [mark for mark, times in Counter(marks).items() if times > 1]
    if twice:
        yield f"done twice: {twice}"
    if not runs or marks[-2:] != [f"{runs[-1].id} began", f"{runs[-1].id} done"]:
        yield f"another agent than the last run's was at work: {marks}"
    strangers = {mark.split()[0] for mark in marks} - {run.id for run in runs}
    if strangers:
        yield f"nobody knows of the runs {strangers}"


def of_repositories(siege: Siege, runs: Sequence[RunRow]) -> Iterator[str]:
    """What is wrong with what came out: a branch for each run that made a commit, with that one, and nothing else."""
    found = Counter(branch for place in siege.places for branch in branches(place))
    known = Counter(run.branch for run in runs if run.branch)
    if found != known:
        yield f"branches {found - known} are nobody's, {known - found} are missing"
    for place, before in zip(siege.places, siege.before, strict=True):
        if outside_of_paddock(place) != before:
            yield f"{place.name} has changed"
        yield from of_repository(place)
    places = {str(place): place for place in siege.places}
    for run in runs:
        if run.outcome == "completed" and run.branch:
            subjects = git(places[run.repo], "log", "--format=%s", f"main..{run.branch}").split()
            if len(subjects) != 1:
                yield f"{run.id} has brought {subjects}"


def left(siege: Siege) -> Iterator[str]:
    """What is left: containers, processes, mounts, folders; runs that are not over or say that they leaked."""
    client = APIClient(base_url=siege.engine.address, version="auto", timeout=30)
    yield from of_engine(client, siege.paddock.state)
    client.close()
    yield from of_machine(siege.paddock.state, siege.folder / "tmp")
    yield from of_runs(siege.paddock.state)
    with Ledger(siege.ledger) as ledger:
        for run in ledger.list():
            paths = run_paths(siege.paddock.state, run.id)
            if run.state != OVER:
                yield f"{run.id} is {run.state}"
            elif paths.result.exists():
                yield from (f"{run.id}: leak: {leak}" for leak in read_result(paths).leaks)
