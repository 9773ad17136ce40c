"""One step at a time through a directory tree that somebody else wrote, and may be changing.

Nothing in such a tree is trusted. Every step is relative to an open directory and refuses symbolic links,
so that a walk can neither be led out of the tree nor into another mount; the number of open descriptors
is bounded however deep the tree is; names are any bytes but `/` and NUL.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from runner.errors import StoreError
from runner.escape import escape_text

SET_ID = stat.S_ISUID | stat.S_ISGID

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
HANDLE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC

_OPEN_LEVELS = 32
"""Directories above here that are kept open; the ones further up, but for the root, are found again by `..`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """The owner's rights on directories that a walk needs, and what it does where they are missing."""

    need: int
    restore: bool = False
    force: bool = False
    """Also on directories of other owners, which root could read as they are."""
    one_mount: bool = False
    """Tell mounts apart by their id, not by their device: a bind mount of the same disk has the same device."""


class Level:
    """One directory on the way from the root of a walk to where it is."""

    __slots__ = ("descriptor", "device", "inode", "mode", "name", "pending", "scanned")

    def __init__(self, name: str, descriptor: int, mode: int | None) -> None:
        found = os.fstat(descriptor)
        self.name = name
        self.descriptor = descriptor
        self.device = found.st_dev
        self.inode = found.st_ino
        self.mode = mode
        """The mode to put back when the walk leaves."""
        self.pending: list[str] = []
        self.scanned = False


class Descent:
    """A position in a tree: the chain of directories from the root to here, the last few of them open."""

    def __init__(self, parent: int, name: str, access: Access) -> None:
        self._access = access
        descriptor, mode = _open_directory(parent, name, access)
        self._levels = [Level(name, descriptor, mode)]
        self._mount = _mount_id(descriptor)

    def __enter__(self) -> Descent:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._levels:
            _close(self._levels.pop())

    @property
    def here(self) -> Level:
        """The directory that the walk is in."""
        return self._levels[-1]

    def descend(self, name: str) -> None:
        """Enters a sub-directory; raises OSError if it is none, is unreadable, or is another mount."""
        descriptor, mode = _open_directory(self.here.descriptor, name, self._access)
        level = Level(name, descriptor, mode)
        if self._is_foreign(level):
            _close(level)
            raise OSError(0, "another file system is mounted there")
        self._levels.append(level)
        far = self._levels[max(len(self._levels) - 1 - _OPEN_LEVELS, 0)]
        if far is not self._levels[0] and far.descriptor >= 0:
            os.close(far.descriptor)
            far.descriptor = -1

    def ascend(self) -> str | None:
        """Leaves for the parent and returns the name of what was left; None at the root.

        A directory that was moved while the walk was in it leads elsewhere by `..`: then the walk goes on at the
        nearest directory that it still holds open, and returns an empty name.
        """
        if len(self._levels) == 1:
            return None
        left = self._levels.pop()
        kept = self.here.descriptor >= 0 or self._reopen(left.descriptor)
        _close(left)
        while self.here.descriptor < 0:
            self._levels.pop()
        return left.name if kept else ""

    def path_of(self, name: str) -> str:
        """Where `name` is, below the root of the walk: escaped, and shortened in the middle."""
        text = escape_text(os.fsencode("/".join([*(level.name for level in self._levels[-64:]), name])))
        return text if len(text) <= 400 else f"{text[:100]}...{text[-300:]}"

    def _is_foreign(self, level: Level) -> bool:
        # A btrfs sub-volume has a device of its own on the same mount, and anybody may make one.
        if level.device == self._levels[0].device and not self._access.one_mount:
            return False
        return _mount_id(level.descriptor) != self._mount

    def _reopen(self, child: int) -> bool:
        level = self.here
        try:
            descriptor = os.open("..", _DIRECTORY, dir_fd=child)
        except OSError:
            return False
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) != (level.device, level.inode):
            os.close(descriptor)
            return False
        level.descriptor = descriptor
        return True


@contextmanager
def descend_into(path: Path, access: Access) -> Iterator[Descent]:
    try:
        parent = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            walk = Descent(parent, path.name, access)
        finally:
            os.close(parent)
    except OSError as error:
        raise StoreError(f"cannot read the directory {path}: {error.strerror}") from error
    with walk:
        yield walk


def _open_directory(parent: int, name: str, access: Access) -> tuple[int, int | None]:
    """The open directory, and the mode that it had if that had to be changed."""
    try:
        descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    except PermissionError:
        descriptor = -1
    handle = os.open(name, HANDLE | os.O_DIRECTORY, dir_fd=parent) if descriptor < 0 else descriptor
    try:
        found = os.fstat(handle)
        lacks = found.st_mode & access.need != access.need
        if not lacks or not (access.force or found.st_uid == os.geteuid()):
            return (descriptor if descriptor >= 0 else os.open(by_handle(handle), _DIRECTORY & ~os.O_NOFOLLOW)), None
        before = stat.S_IMODE(found.st_mode)
        with suppress(PermissionError):
            by_handle(handle).chmod((before | access.need) & ~SET_ID)
        if descriptor < 0:
            descriptor = os.open(by_handle(handle), _DIRECTORY & ~os.O_NOFOLLOW)
        return descriptor, before if access.restore else None
    finally:
        if handle != descriptor:
            os.close(handle)


def by_handle(descriptor: int) -> Path:
    # This link leads to the very file that is open, whatever its name leads to by now.
    return Path(f"/proc/self/fd/{descriptor}")


def _mount_id(descriptor: int) -> bytes:
    with Path(f"/proc/self/fdinfo/{descriptor}").open("rb") as lines:
        return next((line for line in lines if line.startswith(b"mnt_id:")), b"")


def _close(level: Level) -> None:
    if level.descriptor < 0:
        return
    if level.mode is not None:
        with suppress(OSError):
            by_handle(level.descriptor).chmod(level.mode)
    os.close(level.descriptor)
    level.descriptor = -1
