"""Copies what the user gives along for the agent to read: all of it or nothing, and nothing that leads elsewhere."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import RefusedError, StoreError
from runner.escape import escape_text
from runner.model.identity import Identity
from runner.model.quantities import format_size

MOST_BYTES = 256 * 1024 * 1024
MOST_ENTRIES = 50_000
MOST_LEVELS = 64
_PIECE = 1024 * 1024
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def context_names(given: Sequence[str]) -> tuple[str, ...]:
    """The name that each path gets in the copy: its last part; `name-2` for the second of one name. Text only."""
    names: list[str] = []
    for path in given:
        name = posixpath.basename(posixpath.normpath(path)) or "root"
        stem, suffix = posixpath.splitext(name)
        number = 1
        while name in names:
            number += 1
            name = f"{stem}-{number}{suffix}"
        names.append(name)
    return tuple(names)


def real_context(path: str) -> Path:
    """Where an absolute path really leads: to a regular file or a folder. Raises `RefusedError`."""
    try:
        real = Path(os.path.realpath(path, strict=True))
        mode = real.stat().st_mode
    except FileNotFoundError:
        raise refused(path, "does not exist", "Correct the path: Paddock creates none.") from None
    except (OSError, ValueError) as error:
        raise refused(path, f"cannot be looked at: {error}") from error
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise refused(path, "is neither a regular file nor a folder")
    return real


def copy_files(entries: Mapping[str, Path], destination: Path, *, owner: Identity) -> None:
    """Copy each real path into the folder `destination`, which is there, under its name there, for `owner` to read.

    Regular files and folders are copied; a link is kept where it stays within what was given. Anything else is
    refused, and so is more than `MOST_BYTES`, `MOST_ENTRIES` or `MOST_LEVELS`. Raises `RefusedError`, and `StoreError`
    when the disk fails; what was copied until then stays.
    """
    copy = _Copy(owner)
    try:
        for name, real in entries.items():
            if real.is_dir():
                copy.folder(real, destination / name)
            else:
                handle = os.open(real.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    copy.file(handle, real, destination / name)
                finally:
                    os.close(handle)
    except OSError as error:
        raise StoreError(f"{escape_text(str(destination))} cannot be filled: {error.strerror}") from error


def refused(path: str | Path, why: str, hint: str = "") -> RefusedError:
    """The refusal of one path that was given along."""
    return RefusedError(f"--context: {escape_text(os.fsencode(path))} {why}.", hint=hint)


@dataclass
class _Copy:
    """One copy under way, and what it may still take."""

    owner: Identity
    bytes_left: int = MOST_BYTES
    entries_left: int = MOST_ENTRIES

    def folder(self, root: Path, target: Path) -> None:
        """Copy a folder with all that is below it."""
        try:
            os.scandir(root).close()
        except OSError as error:
            _cannot_be_read(error)
        for place, folders, files, handle in os.fwalk(root, onerror=_cannot_be_read, follow_symlinks=False):
            here = Path(place)
            inside = here.relative_to(root)
            if len(inside.parts) >= MOST_LEVELS:
                raise refused(here, f"is more than {MOST_LEVELS} folders deep")
            self._count(here)
            (target / inside).mkdir(mode=0o755)
            for name in (*folders, *files):
                self._entry(handle, here / name, root, target / inside / name)
            folders[:] = [name for name in folders if not (target / inside / name).is_symlink()]
            self._give(target / inside, 0o755)

    def _entry(self, folder: int, path: Path, root: Path, target: Path) -> None:
        try:
            mode = os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode
        except OSError as error:
            raise refused(path, f"cannot be looked at: {error.strerror}") from error
        if stat.S_ISLNK(mode):
            self._link(path, root, target)
        elif stat.S_ISREG(mode):
            self.file(folder, path, target)
        elif not stat.S_ISDIR(mode):
            raise refused(path, "is a socket, a FIFO or a device", "Give a folder without it, or single files.")

    def _link(self, path: Path, root: Path, target: Path) -> None:
        """A link to what is inside too, as a relative one. Only the sandbox ever follows it."""
        self._count(path)
        leads = Path(os.path.realpath(path))
        if not leads.is_relative_to(root) or not leads.exists():
            raise refused(path, "is a link that leads out of what was given", "Give what it leads to as well.")
        target.symlink_to(os.path.relpath(leads, path.parent))
        self._own(target)

    def file(self, folder: int, path: Path, target: Path) -> None:
        """Copy one regular file out of an open folder."""
        self._count(path)
        try:
            handle = os.open(path.name, _READING, dir_fd=folder)
        except OSError as error:
            raise refused(path, f"cannot be read: {error.strerror}") from error
        with os.fdopen(handle, "rb") as reading:
            mode = os.fstat(handle).st_mode
            if not stat.S_ISREG(mode):
                raise refused(path, "is no regular file any more")
            with target.open("xb") as writing:
                while piece := reading.read(_PIECE):
                    self._take(len(piece), path)
                    writing.write(piece)
        self._give(target, 0o755 if mode & stat.S_IXUSR else 0o644)

    def _count(self, path: Path) -> None:
        self.entries_left -= 1
        if self.entries_left < 0:
            raise refused(path, f"is one too many: {MOST_ENTRIES} files and folders are the most")

    def _take(self, size: int, path: Path) -> None:
        self.bytes_left -= size
        if self.bytes_left < 0:
            hint = "Mount large data instead: [[mounts]] in the policy."
            raise refused(path, f"is too much: {format_size(MOST_BYTES)} in all are the most that is copied", hint)

    def _give(self, path: Path, mode: int) -> None:
        path.chmod(mode)
        self._own(path)

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.owner.uid, self.owner.gid, follow_symlinks=False)


def _cannot_be_read(error: OSError) -> None:
    """Else a folder that forbids to be listed would be copied as an empty one."""
    raise refused(error.filename or "a folder", f"cannot be read: {error.strerror}") from error
