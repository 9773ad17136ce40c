"""`paddock stop`, `rm`, `prune` and `merge`."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta

from runner.cli.ending import await_work, ended_line, latest_of_work
from runner.cli.recovering import recover_run
from runner.cli.running import cancellation_by_signals
from runner.cli.runs import find_run, open_ledger
from runner.cli.terminal import answer, say
from runner.errors import EngineError, RefusedError, RunNotFoundError, StillRunningError, UsageError
from runner.model.quantities import parse_duration
from runner.model.result import RunResult
from runner.run.branches import merge_work
from runner.run.chain import follower
from runner.run.cleaning import Prune, forget_run, prune_state
from runner.sandbox.docker_engine import DockerEngine
from runner.settings import home, load_settings, state_dir
from runner.store.batches import Batches
from runner.store.ledger import LEDGER_NAME, RUNNING, RunRow
from runner.store.owner import owner_alive
from runner.store.runs import RunPaths, keeps_work, read_result

STOP_SECONDS = 600.0
POLL_SECONDS = 0.2


def stop_run(run_id: str, *, now: bool) -> None:
    """Ask the Paddock that carries the run out to end it, and wait; end it ourselves when that Paddock is gone."""
    row, paths = latest_of_work(run_id)
    if row.state != RUNNING and not between_rounds(row, paths):
        raise RunNotFoundError(f"{row.id} is over: {row.outcome}.", hint=f"Look at it with `paddock show {row.id}`.")
    if not owner_alive(row):
        result = recover_run(row, paths, now=now)
    else:
        ask_owner(row, 2 if now else 1)
        result = wait_for_the_end(row, paths)
    answer(ended_line(result))


def ask_owner(row: RunRow, times: int) -> None:
    """Ask the Paddock that carries a run out to end it; one that carries a batch out goes on with the others."""
    if row.batch:
        with Batches(state_dir() / LEDGER_NAME) as batches:
            batch, task, attempt, _ = row.batch.split("/")
            batches.ask_attempt_stop(batch, int(task), int(attempt), times)
        return
    for _ in range(times):
        signal_owner(row.owner_pid)


def between_rounds(row: RunRow, paths: RunPaths) -> bool:
    """Whether a run is over, and who carried it out may go on with another one."""
    return follower(paths) == "" and owner_alive(row)


def signal_owner(pid: int) -> None:
    """SIGTERM: the owner stops and collects, as with Ctrl-C."""
    try:
        os.kill(pid, signal.SIGTERM)
    except PermissionError as error:
        raise RefusedError("That run belongs to another user.", hint="Stop it as that user, or as root.") from error
    except ProcessLookupError:
        return
    time.sleep(POLL_SECONDS)


def wait_for_the_end(row: RunRow, paths: RunPaths) -> RunResult:
    """Wait until a run is over, and no other goes on with it; how it ended."""
    try:
        return await_work(row, paths, time.monotonic() + STOP_SECONDS)
    except StillRunningError as error:
        raise EngineError(
            f"{row.id} did not end within {STOP_SECONDS:g} s.", hint="Look at `paddock doctor`."
        ) from error


def remove_runs(run_ids: list[str], *, force: bool = False) -> None:
    """Forget finished runs; with `force`, also those whose workspaces hold work that was not collected."""
    for run_id in run_ids:
        row, paths = find_run(run_id)
        if row.state == RUNNING:
            raise RefusedError(f"{row.id} is still running.", hint=f"End it first: `paddock stop {row.id}`.")
        if keeps_work(paths) and not force:
            raise RefusedError(
                f"{row.id} left work that was not collected; it is in {paths.workspace}.",
                hint=f"`paddock recover {row.id}` collects again; `paddock rm --force {row.id}` throws it away.",
            )
        with open_ledger() as ledger:
            forget_run(row, paths, ledger)
        answer(f"removed {row.id}")


def prune_runs(*, older_than: str, dry_run: bool, force: bool = False, caches: bool = False) -> None:
    """Remove what dead runs left behind, and finished runs that are old enough; kept work only with `force`."""
    before = None
    if older_than:
        try:
            before = datetime.now(UTC) - timedelta(seconds=parse_duration(older_than))
        except ValueError as error:
            raise UsageError(f"--older-than: {error}.") from error
    with open_ledger() as ledger:
        lines = prune_state(
            load_settings().state_dir, ledger, engine(), Prune(before=before, dry_run=dry_run, force=force)
        )
        if caches:
            from runner.run.caches import prune_caches

            lines += prune_caches(load_settings().state_dir, ledger, dry_run=dry_run)
    for line in lines or ["nothing to remove"]:
        answer(line)


def merge_run(run_id: str) -> None:
    """Merge the branch of a finished run."""
    row, paths = find_run(run_id)
    result = read_result(paths) if row.state != RUNNING else None
    if result is None or not result.branch:
        raise RefusedError(f"{row.id} has no branch to merge.", hint=f"Look at `paddock show {row.id}`.")
    with cancellation_by_signals():  # a merge that is stopped half-way leaves a work tree that is neither
        merged = merge_work(result, home=home(), uid=os.geteuid())
    say(f"{merged.how} of {merged.into} to {merged.head[:10]}")
    answer(merged.head)


def engine() -> DockerEngine:
    """The engine of the settings."""
    settings = load_settings()
    return DockerEngine(settings.engine, state_dir=settings.state_dir, progress=say, path_map=settings.path_map)
