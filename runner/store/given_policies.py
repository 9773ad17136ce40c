"""Policies that a library's user gave as objects: kept as files, so that whoever goes on with a run finds them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from runner.store.batches import Batches
from runner.store.ledger import LEDGER_NAME
from runner.store.runs import RunPaths, runs_directory

YOUNG_SECONDS = 600.0
"""One that nobody names may belong to a run that is just about to begin."""
_NAMED = re.compile(rb"/policies/([0-9a-f]{64}\.toml)\"")


def given_policies(state: Path) -> Path:
    """The folder that they are kept in, each under its digest."""
    return state / "policies"


def prune_given_policies(state: Path, *, dry_run: bool) -> Iterator[str]:
    """Remove those that no run and no batch names; say which."""
    old = time.time() - YOUNG_SECONDS
    files = [path for path in sorted(given_policies(state).glob("*.toml")) if path.lstat().st_mtime < old]
    if not files:
        return
    named = set(_of_runs(state))
    with Batches(state / LEDGER_NAME) as batches:
        for file in files:
            if file.name.encode() not in named and not batches.say(f"/policies/{file.name}"):
                yield f"policy {file.stem[:12]}"
                if not dry_run:
                    file.unlink(missing_ok=True)


def _of_runs(state: Path) -> Iterator[bytes]:
    for folder in runs_directory(state).glob("*"):
        with suppress(OSError):
            yield from _NAMED.findall(RunPaths(folder).task.read_bytes())
