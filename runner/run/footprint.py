"""What `limits.disk` and `limits.files` count: everything on a disk that the agent can write, and what it added there.

The workspace and the agent's own folder count as they are. What outlives the run (a policy's caches, its mounts with
`mode = "rw"`) counts by what it has grown since the run began. Files without a name count where they can be seen.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.errors import PaddockError, RefusedError
from runner.model.policy import Limits
from runner.model.spec import SandboxSpec
from runner.sandbox.engine import Box
from runner.store.files import write_whole
from runner.store.runs import RunPaths
from runner.store.tree import TreeSize, measure_tree
from runner.store.unlinked import measure_unlinked

NOTHING = TreeSize(bytes=0, entries=0)


@dataclass(frozen=True, kw_only=True)
class Lent:
    """A place that outlives the run, and its size before the agent began."""

    place: Path
    before: TreeSize


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Where a run writes."""

    own: tuple[Path, ...]
    """Trees of the run alone. The first one has to be there; the others may be missing."""
    lent: tuple[Lent, ...] = ()
    limits: Limits
    box: Box
    writable_root: bool = False

    def measure(self, meanwhile: Callable[[], None]) -> TreeSize:
        """The size of it all, or as much of it as is too much. Raises StoreError, OSError or EngineError."""
        files, data = self.limits.files, self.limits.disk
        there = [self.own[0], *(place for place in self.own[1:] if place.is_dir())]
        sizes = [measure_tree(place, enough=files, enough_bytes=data, meanwhile=meanwhile) for place in there]
        sizes += [_grown(each, self._present(each, meanwhile)) for each in self.lent]
        sizes.append(self._unlinked(meanwhile))
        if self.writable_root:
            sizes.append(TreeSize(bytes=self.box.written(), entries=0))
        return TreeSize(bytes=sum(size.bytes for size in sizes), entries=sum(size.entries for size in sizes))

    @property
    def folders(self) -> tuple[Path, ...]:
        """One folder on each file system that is written to, the workspace's first."""
        found = {os.stat(place).st_dev: place for place in reversed(self._places()) if place.exists()}  # noqa: PTH116
        return (self.own[0], *(place for place in found.values() if place != self.own[0]))

    def _places(self) -> list[Path]:
        return [*self.own, *(each.place for each in self.lent)]

    def _present(self, lent: Lent, meanwhile: Callable[[], None]) -> TreeSize:
        before, limits = lent.before, self.limits
        files, data = before.entries + limits.files, before.bytes + limits.disk
        return size_of(lent.place, enough=files, enough_bytes=data, meanwhile=meanwhile)

    def _unlinked(self, meanwhile: Callable[[], None]) -> TreeSize:
        devices = {os.stat(place).st_dev for place in self._places() if place.exists()}  # noqa: PTH116
        processes: list[int] = []
        with suppress(PaddockError):  # an engine that is away for a moment; there is the free space, too
            processes = self.box.processes()
        if self.writable_root and processes:
            with suppress(OSError):  # only root may ask
                devices.add(os.stat(f"/proc/{processes[0]}/root").st_dev)  # noqa: PTH116
        return measure_unlinked(processes, frozenset(devices), enough_bytes=self.limits.disk, meanwhile=meanwhile)


def lent_places(spec: SandboxSpec, paths: RunPaths) -> list[Path]:
    """What of a sandbox's mounts the agent can write to and is not the run's own."""
    own = {str(paths.workspace), str(paths.agent)}
    return [Path(mount.source) for mount in spec.mounts if mount.mode == "rw" and mount.source not in own]


def remember_lent(spec: SandboxSpec, paths: RunPaths, limits: Limits) -> None:
    """Write down how large the places are that outlive the run, before the agent begins.

    Raises `RefusedError` for one with so many files that it could not be measured often enough.
    """
    sizes = {}
    for place in lent_places(spec, paths):
        size = size_of(place, enough=limits.files)
        if size.entries > limits.files:
            raise RefusedError(
                f"{place} holds more files and directories than limits.files = {limits.files}: what the agent adds "
                "there could not be measured.",
                hint="Give a smaller folder to write to, or raise limits.files.",
            )
        sizes[str(place)] = [size.bytes, size.entries]
    if sizes:
        write_whole(paths.lent, json.dumps(sizes) + "\n")


def recall_lent(spec: SandboxSpec, paths: RunPaths) -> tuple[Lent, ...]:
    """The places that outlive the run, with their sizes before it: the present one where none was written down."""
    try:
        sizes = json.loads(paths.lent.read_bytes())
    except FileNotFoundError:
        sizes = {}
    found = []
    for place in lent_places(spec, paths):
        known = sizes.get(str(place))
        before = TreeSize(bytes=known[0], entries=known[1]) if known else size_of(place)
        found.append(Lent(place=place, before=before))
    return tuple(found)


def size_of(
    place: Path,
    *,
    enough: int | None = None,
    enough_bytes: int | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> TreeSize:
    """The size of a folder or file of the user's, which is left as it is; nothing where there is none."""
    if place.is_dir():
        return measure_tree(place, enough=enough, enough_bytes=enough_bytes, touch=False, meanwhile=meanwhile)
    try:
        return TreeSize(bytes=place.lstat().st_blocks * 512, entries=1)
    except FileNotFoundError:
        return NOTHING


def _grown(lent: Lent, size: TreeSize) -> TreeSize:
    return TreeSize(bytes=max(0, size.bytes - lent.before.bytes), entries=max(0, size.entries - lent.before.entries))
