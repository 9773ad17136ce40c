"""Paddock and the engine have to mean the same files: the engine resolves the paths of a spec where it runs itself.

Where Paddock runs in a container of its own and uses its host's engine, they differ: `path_map` says how, and what
the sandbox really got is compared with what Paddock sees. An empty folder instead of the user's is never taken.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from runner.escape import escape_text
from runner.model.paths import is_within
from runner.model.spec import STATE_LABEL, SandboxSpec
from runner.sandbox.proof import Proof

HINT = (
    "Paddock and the engine see different files, as they do when Paddock is in a container and its engine is not. "
    "Mount the state directory at the same path as on the engine's machine, or set path_map: docs/ci.md says how."
)


def as_the_engine_sees(spec: SandboxSpec, path_map: Mapping[str, str]) -> SandboxSpec:
    """The spec with the sources of its mounts, and the state directory that owns it, as the engine's machine has them.

    So two containers with a Paddock each, which call different folders the same, do not own each other's sandboxes.
    """
    if not path_map:
        return spec
    mounts = tuple(mount.model_copy(update={"source": mapped(mount.source, path_map)}) for mount in spec.mounts)
    labels = {**spec.labels, STATE_LABEL: mapped(spec.labels.get(STATE_LABEL, ""), path_map)}
    return spec.model_copy(update={"mounts": mounts, "labels": labels})


def mapped(path: str, path_map: Mapping[str, str]) -> str:
    """One path by the longest of the folders that it lies in; as it is where it lies in none."""
    for folder in sorted(path_map, key=len, reverse=True):
        if is_within(path, folder):
            rest = path.removeprefix(folder.rstrip("/")).lstrip("/")
            return f"{path_map[folder].rstrip('/')}/{rest}".rstrip("/") or "/"
    return path


def elsewhere(spec: SandboxSpec, proof: Proof) -> list[str]:
    """Every mount behind which the sandbox sees another file than Paddock does; empty when all are the same.

    Only runc's kernel is ours: other runtimes number files in their own way.
    """
    if spec.runtime != "runc":
        return []
    return [
        f"The engine did not mount {escape_text(mount.source)} at {mount.target}, but something else of that name."
        for mount in spec.mounts
        if (identity := identity_of(mount.source)) and proof.places.get(mount.target) != identity
    ]


def identity_of(path: str) -> tuple[int, int] | None:
    """Device and inode; `None` where nothing is."""
    try:
        found = os.stat(path)  # noqa: PTH116 - a plain string of the spec
    except OSError:
        return None
    return found.st_dev, found.st_ino
