"""Copies a directory that an agent wrote, for its next run: plain files and folders, nothing that leads elsewhere."""

from __future__ import annotations

import errno
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from runner.errors import StoreError
from runner.model.identity import Identity

MOST_LEVELS = 64
_PIECE = 1024 * 1024


def copy_tree(
    source: Path, destination: Path, *, owner: Identity, most_bytes: int = sys.maxsize, most_entries: int = sys.maxsize
) -> int:
    """Make `destination`, which must not exist, a copy that belongs to `owner`; how many entries were left out.

    Links, sockets, FIFOs, devices and whatever is more than `MOST_LEVELS` deep are left out, and so is what does not
    fit: a sparse file and each name of a hard-linked one take as much as can be read in them. Nobody may be writing
    to `source` any more. Raises `StoreError` when the disk fails.
    """
    copy = _Copy(owner, most_bytes, most_entries)
    try:
        destination.mkdir(mode=0o700)
        for folder, folders, files, handle in os.fwalk(source, follow_symlinks=False):
            inside = Path(folder).relative_to(source)
            target = destination / inside
            if len(inside.parts) >= MOST_LEVELS:
                copy.left_out += len(folders)
                folders.clear()
            folders[:] = [name for name in folders if copy.folder(handle, name, target / name)]
            for name in files:
                copy.file(handle, name, target / name)
            _give(target, owner)
    except OSError as error:
        raise StoreError(f"{source} cannot be copied: {error.strerror}") from error
    return copy.left_out


@dataclass
class _Copy:
    """One copy under way, and what it may still take."""

    owner: Identity
    bytes_left: int
    entries_left: int
    left_out: int = 0

    def folder(self, above: int, name: str, target: Path) -> bool:
        """Make one folder; whether that is one and was made."""
        mode = os.stat(name, dir_fd=above, follow_symlinks=False).st_mode
        made = self.entries_left > 0 and stat.S_ISDIR(mode) and _make_folder(target)
        self._count(made)
        return made

    def file(self, folder: int, name: str, target: Path) -> None:
        """Copy one entry, if it is a regular file that can be read and that fits."""
        self._count(self.entries_left > 0 and self._copied(folder, name, target))

    def _count(self, made: bool) -> None:
        self.entries_left -= made
        self.left_out += not made

    def _copied(self, folder: int, name: str, target: Path) -> bool:
        try:
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            return False
        with os.fdopen(handle, "rb") as reading:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_size > self.bytes_left:
                return False
            self.bytes_left -= found.st_size
            try:
                writing = target.open("xb")
            except OSError as error:
                return _too_long(error)
            with writing:
                while piece := reading.read(_PIECE):
                    writing.write(piece)
        target.chmod(0o700 if found.st_mode & stat.S_IXUSR else 0o600)
        _give(target, self.owner)
        return True


def _make_folder(target: Path) -> bool:
    try:
        target.mkdir(mode=0o700)
    except OSError as error:
        return _too_long(error)
    return True


def _too_long(error: OSError) -> bool:
    """False for a path that is longer here than it was there; raises every other error again."""
    if error.errno != errno.ENAMETOOLONG:
        raise error
    return False


def _give(path: Path, owner: Identity) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
