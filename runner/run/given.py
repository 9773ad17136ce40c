"""What a run's agent is given beside the repository: texts to read, and a folder of its own."""

from __future__ import annotations

import os
from pathlib import Path

from runner.errors import StoreError
from runner.model.identity import Identity
from runner.run.attempt import Attempt
from runner.store.files import make_folder, write_whole
from runner.store.runs import run_paths
from runner.store.tree import remove_tree


def write_given(attempt: Attempt) -> None:
    """Make both folders, as far as the agent's command wants them. Raises `StoreError`."""
    command, paths = attempt.prepared.command, attempt.paths
    if command.files:
        make_folder(paths.given, 0o755)
        for name, text in command.files.items():
            write_whole(_below(paths.given, name), text, mode=0o644)
    if command.keeps:
        identity = attempt.prepared.identity
        take_up_state(attempt)
        _give(paths.agent, identity)
        for name, text in command.state.items():
            write_state(paths.agent, name, text, identity)


def take_up_state(attempt: Attempt) -> None:
    """The agent's own folder: that of the run that this one goes on with, as a copy, or an empty one."""
    paths, task = attempt.paths, attempt.prepared.task
    before = run_paths(attempt.host.settings.state_dir, task.continues).agent if task.continues else None
    if before is None or not before.is_dir():
        paths.agent.mkdir(mode=0o700)
        return
    from runner.store.tree_copy import copy_tree  # for those alone that go on with another run

    limits = attempt.prepared.policy.limits
    left_out = copy_tree(
        before, paths.agent, owner=attempt.prepared.identity, most_bytes=limits.disk, most_entries=limits.files
    )
    if left_out:
        attempt.journal.notice(f"Of the agent's own files in {task.continues}, {left_out} were not taken over.")


def write_state(folder: Path, name: str, text: str, owner: Identity) -> None:
    """One of the agent's own files, and the folders above it; whatever its last run made of them. Raises `StoreError`.

    The folder is a copy of ours that nobody else writes to yet, and holds no links.
    """
    *folders, last = name.split("/")
    place = folder
    for part in folders:
        place = _below(place, part)
        if not place.is_dir():
            remove_tree(place)
            place.mkdir(mode=0o700)
            _give(place, owner)
    file = _below(place, last)
    if file.is_dir():
        remove_tree(file)
    write_whole(file, text, mode=0o600)
    _give(file, owner)


def _below(folder: Path, name: str) -> Path:
    if "/" in name or name in {"", ".", ".."}:
        raise StoreError(f"An agent's file cannot be named {name!r}.")
    return folder / name


def _give(path: Path, owner: Identity) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
