"""How a run ends, for commands that wait for it: alone, or as the first of the rounds that one piece of work takes."""

from __future__ import annotations

import time
from functools import partial

from runner.cli.runs import find_run, open_ledger
from runner.errors import EngineError, RunNotFoundError, StillRunningError
from runner.model.result import RunResult
from runner.run.chain import await_follower, chain_from
from runner.store.ledger import RUNNING, RunRow
from runner.store.owner import owner_alive
from runner.store.runs import RunPaths, read_result

POLL_SECONDS = 0.2


def await_work(row: RunRow, paths: RunPaths, until: float | None = None) -> RunResult:
    """Wait until a run is over, and every run that goes on with it; how the work ended.

    `until` is a time of the monotonic clock. Raises `StillRunningError` past it, and `EngineError` when nobody
    carries the run out any more.
    """
    first = paths
    while True:
        await_run(row, until)
        try:
            following = await_follower(paths, partial(owner_alive, row), until)
        except TimeoutError:
            raise still_running(row) from None
        if following is None:
            return result_of_work(first)
        row, paths = find_run(following.id)


def await_run(row: RunRow, until: float | None = None) -> None:
    """Wait until a run is over; raises as `await_work` does."""
    while is_under_way(row):
        if until is not None and time.monotonic() > until:
            raise still_running(row)
        time.sleep(POLL_SECONDS)


def is_under_way(row: RunRow) -> bool:
    """Whether a run goes on. Raises `EngineError` when it is not over and nobody carries it out any more."""
    for again in (False, True):
        with open_ledger() as ledger:
            now = ledger.get(row.id)
        if now is None or now.state != RUNNING:
            return False
        if owner_alive(now):
            return True
        if again:  # asked twice: its owner may have ended the run between the two looks, and then itself
            break
    raise EngineError(
        f"The Paddock that carried {row.id} out died.", hint=f"`paddock recover {row.id}` takes the run up."
    )


def still_running(row: RunRow) -> StillRunningError:
    """The time is over, and the run is not."""
    return StillRunningError(f"{row.id} is still running.", hint=f"`paddock attach {row.id}` follows it.")


def result_of_work(paths: RunPaths) -> RunResult:
    """The result of the work that began with a run: that of its last run of the agent itself, which lists the rounds.

    Raises `StoreError` when it cannot be read.
    """
    *_, last = chain = list(chain_from(paths)) or [paths]
    for link in reversed(chain if len(chain) > 1 else []):
        result = read_result(link)
        if result.rounds:  # a review that came after it has none
            return result
    return read_result(last)


def latest_of_work(run_id: str) -> tuple[RunRow, RunPaths]:
    """The run that is meant, or the latest that went on with it. Raises `RunNotFoundError`."""
    row, paths = find_run(run_id)
    for link in chain_from(paths):
        try:
            row, paths = find_run(link.id)
        except RunNotFoundError:
            break
    return row, paths


def ended_line(result: RunResult) -> str:
    """One line on how a run ended."""
    return f"{result.id}: {result.outcome.value}" + (f", {result.branch}" if result.branch else "")
