"""Measures, opens up for collection and removes directories that an agent wrote (ATTACKS 99, 126, 128, 130, 132)."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.errors import StoreError
from runner.escape import escape_text
from runner.store.descent import HANDLE, SET_ID, Access, Descent, Level, by_handle, descend_into

_PASSES = 3
"""How often a removal begins again when something is left: the tree may have changed under it."""

_MOST_REPORTED = 100
_AT_A_TIME = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeSize:
    """What a tree takes: bytes on the disk, entries below its root, directories that could not be read."""

    bytes: int
    entries: int
    unread: int = 0


def measure_tree(
    path: Path,
    *,
    enough: int | None = None,
    enough_bytes: int | None = None,
    touch: bool = True,
    meanwhile: Callable[[], None] = lambda: None,
) -> TreeSize:
    """The size of the tree at `path`, which may change meanwhile; stops early beyond `enough` entries or bytes.

    A hard-linked file counts once: each of its names counts for its share, which needs no memory of what was seen.
    A directory that forbids its owner to read it is opened up while it is being read, then put back; without `touch`
    it is left alone and counts as unread. `meanwhile` is called again and again. Raises StoreError if there is no such
    directory.
    """
    blocks = entries = unread = 0
    with descend_into(path, Access(need=0o500 if touch else 0, restore=True)) as walk:
        blocks += os.fstat(walk.here.descriptor).st_blocks * 512
        while (enough is None or entries <= enough) and (enough_bytes is None or blocks <= enough_bytes):
            if not walk.here.scanned:
                size, count = _tally(walk.here, meanwhile)
                blocks, entries = blocks + size, entries + count
            elif walk.here.pending:
                try:
                    walk.descend(walk.here.pending.pop())
                except FileNotFoundError:
                    continue
                except OSError:
                    unread += 1
            elif walk.ascend() is None:
                break
    return TreeSize(bytes=blocks, entries=entries, unread=unread)


def remove_tree(path: Path) -> list[str]:
    """Removes whatever is at `path`, a link itself rather than its target; returns what is still there and why.

    Every line is escaped text. Nothing at `path` is success.
    """
    left: list[str] = []
    for _ in range(_PASSES):
        left = _remove_once(path)
        if not left:
            break
    return left


def make_readable(path: Path) -> list[str]:
    """Lets the owner of everything in the tree read it, and takes away set-id bits; returns what could not be changed.

    Agents leave directories of mode 000 and unreadable files behind, and git refuses to add either (ATTACKS 128, 130).
    """
    left: list[str] = []
    with descend_into(path, Access(need=0o700, force=True)) as walk:
        while True:
            if not walk.here.scanned:
                _open_up_files(walk, left)
            elif walk.here.pending:
                name = walk.here.pending.pop()
                try:
                    walk.descend(name)
                except OSError as error:
                    _report(left, walk, name, error)
            elif walk.ascend() is None:
                return left


def _tally(level: Level, meanwhile: Callable[[], None]) -> tuple[int, int]:
    """Bytes and number of the entries of one directory; its sub-directories become pending."""
    level.scanned = True
    meanwhile()
    size = count = 0
    with suppress(OSError), os.scandir(level.descriptor) as entries:
        for entry in entries:
            count += 1
            if count % _AT_A_TIME == 0:
                meanwhile()
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(found.st_mode):
                level.pending.append(entry.name)
                size += found.st_blocks * 512
            else:
                size += found.st_blocks * 512 // max(found.st_nlink, 1)
    return size, count


def _open_up_files(walk: Descent, left: list[str]) -> None:
    level = walk.here
    level.scanned = True
    with os.scandir(level.descriptor) as entries:
        for entry in entries:
            try:
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    level.pending.append(entry.name)
                elif stat.S_ISREG(mode) and (not mode & stat.S_IRUSR or mode & SET_ID):
                    _open_up(level.descriptor, entry.name)
            except OSError as error:
                _report(left, walk, entry.name, error)


def _open_up(parent: int, name: str) -> None:
    handle = os.open(name, HANDLE, dir_fd=parent)
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISREG(mode):
            by_handle(handle).chmod((stat.S_IMODE(mode) | stat.S_IRUSR) & ~SET_ID)
    finally:
        os.close(handle)


def _remove_once(path: Path) -> list[str]:
    left: list[str] = []
    try:
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
            return left
        with descend_into(path, Access(need=0o700, one_mount=True)) as walk:
            _empty(walk, left)
        path.rmdir()
    except FileNotFoundError:
        return left
    except (OSError, StoreError) as error:
        if not left:
            left.append(f"{escape_text(str(path))}: {error}")
    return left


def _empty(walk: Descent, left: list[str]) -> None:
    while True:
        if not walk.here.scanned:
            _unlink_files(walk, left)
        elif walk.here.pending:
            name = walk.here.pending.pop()
            try:
                walk.descend(name)
            except FileNotFoundError:
                continue
            except OSError as error:
                _report(left, walk, name, error)
        else:
            emptied = walk.ascend()
            if emptied is None:
                return
            try:
                os.rmdir(emptied, dir_fd=walk.here.descriptor)
            except OSError as error:
                _report(left, walk, emptied, error)


def _unlink_files(walk: Descent, left: list[str]) -> None:
    level = walk.here
    level.scanned = True
    try:
        with os.scandir(level.descriptor) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    level.pending.append(entry.name)
                    continue
                try:
                    os.unlink(entry.name, dir_fd=level.descriptor)
                except OSError as error:
                    _report(left, walk, entry.name, error)
    except OSError as error:
        _report(left, walk, ".", error)


def _report(left: list[str], walk: Descent, name: str, error: OSError) -> None:
    if len(left) < _MOST_REPORTED:
        left.append(f"{walk.path_of(name)}: {error.strerror}")
