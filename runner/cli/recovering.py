"""`paddock recover`: runs whose Paddock died, runs whose work is still in their workspaces, and what is half made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from runner.cli.console import Console
from runner.cli.running import cancellation_by_signals, host_of
from runner.cli.runs import find_run, open_ledger
from runner.cli.terminal import answer, print_error, say
from runner.errors import PaddockError, RefusedError, RunNotFoundError
from runner.model.result import EXIT_CODES, Outcome, RunResult
from runner.model.spec import Role
from runner.run.cancellation import Cancellation
from runner.run.cleaning import sweep
from runner.run.host import Host
from runner.run.take_up import end_orphan, take_up
from runner.sandbox.engine import Engine
from runner.settings import load_settings, state_dir
from runner.store.ledger import RUNNING, Ledger, RunRow
from runner.store.owner import owner_alive
from runner.store.runs import RunPaths, keeps_work, run_paths

Finish = Callable[[RunRow, RunPaths, Host, Ledger], RunResult]


def recover_command(run_id: str = "", *, stop: bool = False) -> int:
    """Take up, or collect, one run or every run that needs it; the exit code. With `stop`, agents at work are ended."""
    finish = end_orphan if stop else take_up
    with cancellation_by_signals() as cancellation:
        if run_id:
            row, paths = find_run(run_id)
            refuse_others(row, paths)
            host = host_here(cancellation)
            tell_of(row.id in at_work(host.engine), row)
            return tell(finished(row, paths, finish, host), paths)
        return recover_all(finish, cancellation)


def recover_all(finish: Finish, cancellation: Cancellation) -> int:
    """Every run that needs it: those whose agents are at work side by side, the others one after the other."""
    rows = recoverable()
    busy = at_work(host_here(cancellation).engine) if rows else frozenset()
    recover = partial(recover_one_of_many, finish=finish, cancellation=cancellation)
    with ThreadPoolExecutor(max_workers=max(1, len(busy))) as threads:
        for row in rows:
            tell_of(row.id in busy, row)
        watching = [threads.submit(recover, row) for row in rows if row.id in busy]
        codes = [recover(row) for row in rows if row.id not in busy]
        codes += [each.result() for each in watching]
    swept = sweep_up(cancellation)
    if not (rows or swept):
        answer("nothing to recover")
    return max(codes, default=0)


def sweep_up(cancellation: Cancellation) -> list[str]:
    """Remove what belongs to no run that there is; say so."""
    if not state_dir().exists():
        return []
    with open_ledger() as ledger:
        lines = sweep(state_dir(), ledger, host_here(cancellation).engine)
    for line in lines:
        answer(line)
    return lines


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


def at_work(engine: Engine) -> frozenset[str]:
    """The runs of this state directory whose sandboxes are alive."""
    found: Iterable[str] = (
        each.run for each in engine.find(state=str(state_dir())) if each.running and each.role == Role.SANDBOX
    )
    return frozenset(found)


def recover_one_of_many(row: RunRow, *, finish: Finish, cancellation: Cancellation) -> int:
    """What fails for one run is told, and the others are still done."""
    paths = run_paths(state_dir(), row.id)
    try:
        return tell(finished(row, paths, finish, host_here(cancellation)), paths)
    except PaddockError as error:
        print_error(error)
        return error.exit_code


def recover_run(row: RunRow, paths: RunPaths, *, now: bool = False) -> RunResult:
    """End the run and collect its work. A signal does not stop us half way."""
    with cancellation_by_signals() as cancellation:
        return finished(row, paths, partial(end_orphan, now=now), host_here(cancellation))


def finished(row: RunRow, paths: RunPaths, finish: Finish, host: Host) -> RunResult:
    """One run, to its end."""
    with open_ledger() as ledger:
        return finish(row, paths, host, ledger)


def host_here(cancellation: Cancellation) -> Host:
    """This machine; what an agent prints goes to its log, and is not shown."""
    return host_of(load_settings(), Console(stdout_is_taken=True, view="quiet"), cancellation)


def tell_of(alive: bool, row: RunRow) -> None:
    """Say that a run is not done in a moment."""
    if alive:
        say(f"{row.id}: its agent is at work; it is watched from here on (`paddock logs -f {row.id}`)")


def tell(result: RunResult, paths: RunPaths) -> int:
    """Print one line for a run that was taken up; the exit code is 0 unless its work could not be collected."""
    why = f" ({result.reason})" if result.outcome in {Outcome.ENGINE_FAILED, Outcome.REJECTED} else ""
    answer(f"{result.id}: {result.outcome.value}{why}" + (f", {result.branch}" if result.branch else ""))
    failed = result.outcome is Outcome.ENGINE_FAILED and keeps_work(paths)
    return EXIT_CODES[Outcome.ENGINE_FAILED] if failed else 0
