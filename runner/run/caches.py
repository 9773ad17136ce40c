"""Removing what policies' caches hold: it outlives every run, and only a person knows when nobody wants it any more."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from runner.errors import StoreError
from runner.escape import escape_text
from runner.model.spec import SandboxSpec
from runner.store.ledger import RUNNING, Ledger
from runner.store.runs import run_paths
from runner.store.tree import measure_tree, remove_tree

MIB = 2**20
REMOVED = ".removed"
"""The end of a cache's name while it is being removed."""


def prune_caches(state: Path, ledger: Ledger, *, dry_run: bool) -> Iterator[str]:
    """Remove every cache of every repository that no run under way can write to; say what went, and what did not."""
    caches = sorted(path for path in (state / "caches").glob("*/*") if path.is_dir() and not path.is_symlink())
    used = dict(in_use(state, ledger))  # after the list: a run that begins meanwhile has its row before its cache
    for cache in caches:
        if run := used.get(str(cache)):
            yield f"kept cache {name_of(cache)}: {run} may write to it"
        else:
            yield prune_cache(cache, dry_run=dry_run)
    if not dry_run:
        for folder in {cache.parent for cache in caches}:
            with suppress(OSError):  # what is still in there is in use
                folder.rmdir()


def prune_cache(cache: Path, *, dry_run: bool) -> str:
    """Remove one; by a rename first, so that no run ever begins with a half of it."""
    with suppress(StoreError):
        size = measure_tree(cache, touch=False).bytes
        told = f"cache {name_of(cache)}, {-(-size // MIB)} MiB"
        if dry_run:
            return told
        try:
            gone = cache if cache.name.endswith(REMOVED) else cache.rename(cache.with_name(cache.name + REMOVED))
        except OSError as error:
            return f"could not remove cache {name_of(cache)}: {error.strerror}"
        left = remove_tree(gone)
        return f"could not remove cache {name_of(cache)}: {left[0]}" if left else told
    return f"could not read cache {name_of(cache)}"


def in_use(state: Path, ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Places that a run under way may write to, and which run that is."""
    for row in ledger.list():
        if row.state != RUNNING:
            continue
        try:
            spec = SandboxSpec.model_validate_json(run_paths(state, row.id).spec.read_bytes())
        except (OSError, ValueError):  # it is about to begin or to go, or of another version
            continue
        yield from ((os.path.normpath(mount.source), row.id) for mount in spec.mounts if mount.mode == "rw")


def name_of(cache: Path) -> str:
    """How a cache is told: its name, and the folder that stands for its repository."""
    return escape_text(f"{cache.parent.name}/{cache.name.removesuffix(REMOVED)}")
