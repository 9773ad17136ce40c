"""`paddock recover`: runs whose Paddock died, and runs whose work is still in their workspaces."""

from __future__ import annotations

from runner.cli.console import Console
from runner.cli.running import cancellation_by_signals, host_of
from runner.cli.runs import find_run, open_ledger
from runner.cli.terminal import answer, print_error
from runner.errors import PaddockError, RefusedError, RunNotFoundError
from runner.model.result import EXIT_CODES, Outcome, RunResult
from runner.run.recovery import end_orphan
from runner.settings import load_settings, state_dir
from runner.store.ledger import RUNNING, RunRow
from runner.store.owner import owner_alive
from runner.store.runs import RunPaths, keeps_work, run_paths


def recover_command(run_id: str = "") -> int:
    """Collect what one run, or every run, has not been collected of; the exit code."""
    if run_id:
        row, paths = find_run(run_id)
        refuse_others(row, paths)
        return tell(recover_run(row, paths), paths)
    rows = recoverable()
    if not rows:
        answer("nothing to recover")
    return max((recover_one_of_many(row) for row in rows), default=0)


def recoverable() -> list[RunRow]:
    """Every run that is orphaned, or over with kept work; the oldest first."""
    with open_ledger() as ledger:
        rows = ledger.list()
    return [row for row in reversed(rows) if is_recoverable(row, run_paths(state_dir(), row.id))]


def is_recoverable(row: RunRow, paths: RunPaths) -> bool:
    """Whether there is something to do for a run."""
    return not owner_alive(row) if row.state == RUNNING else keeps_work(paths)


def refuse_others(row: RunRow, paths: RunPaths) -> None:
    """Raises what says why there is nothing to do for a run, if that is so."""
    if is_recoverable(row, paths):
        return
    if row.state == RUNNING:
        raise RefusedError(f"{row.id} is still running.", hint=f"End it with `paddock stop {row.id}`.")
    raise RunNotFoundError(f"{row.id} is over: {row.outcome}; no workspace of it is kept.")


def recover_one_of_many(row: RunRow) -> int:
    """What fails for one run is told, and the others are still done."""
    paths = run_paths(state_dir(), row.id)
    try:
        return tell(recover_run(row, paths), paths)
    except PaddockError as error:
        print_error(error)
        return error.exit_code


def recover_run(row: RunRow, paths: RunPaths) -> RunResult:
    """End the run and collect its work. A signal does not stop us half way."""
    with cancellation_by_signals() as cancellation, open_ledger() as ledger:
        host = host_of(load_settings(), Console(stdout_is_taken=True), cancellation)
        return end_orphan(row, paths, host, ledger)


def tell(result: RunResult, paths: RunPaths) -> int:
    """Print one line for a run that was taken up; the exit code is 0 unless its work could not be collected."""
    why = f" ({result.reason})" if result.outcome in {Outcome.ENGINE_FAILED, Outcome.REJECTED} else ""
    answer(f"{result.id}: {result.outcome.value}{why}" + (f", {result.branch}" if result.branch else ""))
    failed = result.outcome is Outcome.ENGINE_FAILED and keeps_work(paths)
    return EXIT_CODES[Outcome.ENGINE_FAILED] if failed else 0
