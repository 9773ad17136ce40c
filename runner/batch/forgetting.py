"""Removes a batch: its rows and its folder, and where asked its runs and the clones that nobody else uses.

Rows go last, so that whoever was killed on the way can do it again. Branches in the user's repositories stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.batch.carry import events_file
from runner.errors import RefusedError, StoreError
from runner.repo.clone import alone, clone_place, lock_of
from runner.repo.git import run_git
from runner.repo.urls import is_url
from runner.run.cleaning import forget_run
from runner.store.afterwards import Afterwards
from runner.store.batches import RUNNING, BatchRow, TaskRow
from runner.store.ledger import Ledger, RunRow
from runner.store.owner import owner_alive
from runner.store.runs import keeps_work, run_paths
from runner.store.tree import remove_tree


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What goes, decided."""

    row: BatchRow
    folder: Path
    runs: Sequence[RunRow] = ()
    clones: Sequence[Path] = ()
    kept: Sequence[str] = ()
    """What stays that could have gone, and why."""

    def lines(self) -> Iterator[str]:
        """What it comes to, in words."""
        yield from (f"run {run.id}" for run in self.runs)
        yield from (f"clone {clone.name}" for clone in self.clones)
        yield f"batch {self.row.id}"
        yield from self.kept


def plan_removal(  # noqa: PLR0913 - what, where, and how much of it
    row: BatchRow, tasks: Sequence[TaskRow], afterwards: Afterwards, state: Path, *, runs: bool, force: bool
) -> Removal:
    """What would go. Raises `RefusedError` while it is carried out, or where work would be lost without `force`."""
    if row.state == RUNNING and owner_alive(row):
        raise RefusedError(f"{row.id} is being carried out.", hint=f"Stop it first: `paddock batch stop {row.id}`.")
    found = afterwards.runs_of(row.id)
    if under_way := [run.id for run in found if run.state == RUNNING]:
        raise RefusedError(
            f"{row.id} has runs under way: {', '.join(under_way[:3])}.",
            hint=f"`paddock batch resume {row.id}` or `paddock recover` takes them up.",
        )
    folder = events_file(state, row.id).parent
    if not runs:
        kept = [f"kept {len(found)} runs: --runs removes them, too"] if found else []
        return Removal(row=row, folder=folder, kept=kept)
    uncollected = [run.id for run in found if keeps_work(run_paths(state, run.id))]
    if uncollected and not force:
        raise RefusedError(
            f"{uncollected[0]} left work that was not collected.",
            hint=f"`paddock recover {uncollected[0]}` collects again; --force throws it away.",
        )
    clones, kept = clones_of(tasks, afterwards.repos_of_others(row.id), state, force=force)
    return Removal(row=row, folder=folder, runs=found, clones=clones, kept=kept)


def clones_of(tasks: Sequence[TaskRow], others: set[str], state: Path, *, force: bool) -> tuple[list[Path], list[str]]:
    """The clones that go, and words for those that stay: a clone may hold the only copy of a branch."""
    clones, kept = [], []
    for url in dict.fromkeys(task.repo for task in tasks if is_url(task.repo)):
        place = clone_place(url, state)
        if not place.exists() or url in others or str(place) in others:
            continue
        branches = branches_in(place)
        if branches and not force:
            kept.append(
                f"kept clone {place.name}: {len(branches)} branches are in it, {branches[0]} first; see --force"
            )
        else:
            clones.append(place)
    return clones, kept


def branches_in(clone: Path) -> list[str]:
    """The branches of runs in a clone."""
    said = run_git(["for-each-ref", "--format=%(refname:short)", "refs/heads/paddock"], git_dir=clone, check=False)
    return said.stdout.decode("utf-8", "replace").split()


def remove_batch(removal: Removal, afterwards: Afterwards, ledger: Ledger, state: Path) -> None:
    """Do it. Raises `StoreError` for what cannot be removed; then the batch is still there."""
    for run in removal.runs:
        forget_run(run, run_paths(state, run.id), ledger)
    for clone in removal.clones:
        with alone(clone):
            _remove(clone)
            lock_of(clone).unlink(missing_ok=True)
    _remove(removal.folder)
    afterwards.forget(removal.row.id)
    for folder in (removal.folder.parent, state / "clones"):
        with suppress(OSError):  # what is still in there is of others
            folder.rmdir()


def _remove(path: Path) -> None:
    if left := remove_tree(path):
        raise StoreError(f"{path} could not be removed: {left[0]}", hint="Remove it as the owner of these files.")
