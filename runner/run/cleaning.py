"""Removing runs: the ones that are asked for, and what dead ones left behind."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from runner.errors import EngineError, StoreError
from runner.sandbox.engine import Engine
from runner.store.ledger import RUNNING, Ledger, RunRow
from runner.store.owner import owner_alive
from runner.store.runs import RunPaths, run_paths, runs_directory
from runner.store.tree import remove_tree


def forget_run(row: RunRow, paths: RunPaths, ledger: Ledger) -> None:
    """Delete a finished run's directory and row. Branches in repositories stay. Raises `StoreError` for what stays."""
    if left := remove_tree(paths.directory):
        raise StoreError(f"{row.id} could not be removed: {left[0]}", hint="Remove it as the owner of these files.")
    ledger.remove(row.id)


def prune_state(state: Path, ledger: Ledger, engine: Engine, *, before: datetime | None, dry_run: bool) -> list[str]:
    """Containers of runs that are over or unknown, directories without a row, finished runs older than `before`.

    A run whose Paddock died is not touched: its work has not been collected yet (promise 5). Returns what went.
    """
    rows = {row.id: row for row in ledger.list()}
    alive = {row.id for row in rows.values() if row.state == RUNNING}
    lines = prune_containers(state, engine, alive, dry_run=dry_run)
    for path in sorted(runs_directory(state).glob("*")):
        if path.name not in rows and path.is_dir():
            lines.append(f"directory {path.name}")
            if not dry_run:
                remove_tree(path)
    for row in rows.values():
        if row.state != RUNNING and before and datetime.fromisoformat(row.created_at) < before:
            lines.append(f"run {row.id}")
            if not dry_run:
                forget_run(row, run_paths(state, row.id), ledger)
        elif row.state == RUNNING and not owner_alive(row):
            lines.append(f"kept {row.id}: its Paddock died; `paddock stop {row.id}` ends it and collects its work")
    return lines


def prune_containers(state: Path, engine: Engine, alive: set[str], *, dry_run: bool) -> list[str]:
    """Containers of this state directory's runs that no running run owns."""
    lines = []
    for found in engine.find(state=str(state)):
        if found.run in alive:
            continue
        lines.append(f"container {found.name}")
        if not dry_run:
            try:
                engine.open(found.id).close()
            except EngineError as error:
                lines.append(f"could not remove {found.name}: {error.message}")
    return lines
