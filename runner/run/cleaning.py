"""Removing runs: the ones that are asked for, and what dead ones left behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runner.errors import EngineError, EngineUnavailableError, StoreError
from runner.model.spec import Role
from runner.sandbox.engine import Engine, Found
from runner.store.given_policies import prune_given_policies
from runner.store.half_made import nobody_makes
from runner.store.ledger import RUNNING, Ledger, RunRow
from runner.store.owner import owner_alive
from runner.store.runs import RunPaths, keeps_work, run_paths, runs_directory
from runner.store.tree import remove_tree

YOUNG = timedelta(minutes=10)
"""A directory without a row may belong to a run that is just about to get one."""


@dataclass(frozen=True, kw_only=True)
class Prune:
    """What is asked for."""

    before: datetime | None = None
    """Finished runs that began earlier go too."""
    dry_run: bool = False
    force: bool = False
    """Also workspaces that hold work which was not collected."""


def forget_run(row: RunRow, paths: RunPaths, ledger: Ledger) -> None:
    """Delete a finished run's directory and row. Branches in repositories stay. Raises `StoreError` for what stays."""
    if left := remove_tree(paths.directory):
        raise StoreError(f"{row.id} could not be removed: {left[0]}", hint="Remove it as the owner of these files.")
    ledger.remove(row.id)


def prune_state(state: Path, ledger: Ledger, engine: Engine, asked: Prune) -> list[str]:
    """Containers of runs that are over or unknown, directories without a row, old finished runs, policies of none.

    A run whose Paddock died is not touched: its work has not been collected yet (promise 5). Returns what went, and
    what was kept and why.
    """
    # Rows are read last: a run that begins meanwhile has one before it has a container, or soon after its directory.
    containers = engine.find(state=str(state))
    directories = [path for path in sorted(runs_directory(state).glob("*")) if path.is_dir()]
    rows = {row.id: row for row in ledger.list()}
    alive = {row.id for row in rows.values() if row.state == RUNNING}
    lines = [*prune_containers([each for each in containers if each.run not in alive], engine, asked)]
    for path in directories:
        if path.name not in rows:
            lines.append(prune_directory(path, asked))
    for row in rows.values():
        lines += prune_row(row, run_paths(state, row.id), ledger, asked)
    return [*lines, *prune_given_policies(state, dry_run=asked.dry_run)]


def sweep(state: Path, ledger: Ledger, engine: Engine) -> list[str]:
    """What a Paddock left that died before its run was in the ledger, or after the run was over. Returns what went."""
    found: list[Found] = []
    with suppress(EngineUnavailableError):  # then nothing of ours runs, and directories can still be swept
        found = [each for each in engine.find(state=str(state)) if each.role in {Role.SANDBOX, Role.COLLECTOR}]
    directories = [path for path in sorted(runs_directory(state).glob("*")) if path.is_dir() and nobody_makes(path)]
    rows = {row.id: row for row in ledger.list()}
    nobodys = [each for each in found if each.run not in rows or rows[each.run].state != RUNNING]
    lines = [f"removed {line}" for line in prune_containers(nobodys, engine, Prune())]
    for path in directories:
        if path.name not in rows and not keeps_work(RunPaths(path)):
            left = remove_tree(path)
            lines.append(f"could not remove {path}: {left[0]}" if left else f"removed directory {path.name}, half made")
    return lines


def prune_containers(found: Sequence[Found], engine: Engine, asked: Prune) -> Iterator[str]:
    """Containers that no running run owns."""
    for container in found:
        yield f"container {container.name}"
        if not asked.dry_run:
            try:
                engine.open(container.id).close()
            except EngineError as error:
                yield f"could not remove {container.name}: {error.message}"


def prune_directory(path: Path, asked: Prune) -> str:
    """A directory that no row names."""
    if datetime.now(UTC) - datetime.fromtimestamp(path.stat().st_mtime, UTC) < YOUNG:
        return f"kept directory {path.name}: it is younger than ten minutes, so its run may be about to begin"
    if keeps_work(RunPaths(path)) and not asked.force:
        return f"kept directory {path.name}: work that was not collected is in {RunPaths(path).workspace}"
    left = [] if asked.dry_run else remove_tree(path)
    return f"could not remove directory {path.name}: {left[0]}" if left else f"directory {path.name}"


def prune_row(row: RunRow, paths: RunPaths, ledger: Ledger, asked: Prune) -> Iterator[str]:
    """A run that the ledger knows."""
    if row.state == RUNNING:
        if not owner_alive(row):
            yield f"kept {row.id}: its Paddock died; `paddock recover {row.id}` takes it up"
        return
    if asked.before is None or datetime.fromisoformat(row.created_at) >= asked.before:
        return
    if keeps_work(paths) and not asked.force:
        yield f"kept {row.id}: work that was not collected is in {paths.workspace}"
        return
    yield f"run {row.id}"
    if not asked.dry_run:
        forget_run(row, paths, ledger)
