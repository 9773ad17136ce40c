"""Copies a directory that an agent wrote, for its next run: plain files and folders, nothing that leads elsewhere."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from runner.errors import StoreError
from runner.model.identity import Identity

MOST_LEVELS = 64


def copy_tree(source: Path, destination: Path, *, owner: Identity) -> int:
    """Make `destination`, which must not exist, a copy that belongs to `owner`; how many entries were left out.

    Links, sockets, FIFOs, devices and whatever is more than `MOST_LEVELS` deep are left out. Nobody may be writing to
    `source` any more. Raises `StoreError` when the disk fails.
    """
    left_out = 0
    try:
        destination.mkdir(mode=0o700)
        for folder, folders, files, handle in os.fwalk(source, follow_symlinks=False):
            inside = Path(folder).relative_to(source)
            if len(inside.parts) >= MOST_LEVELS:
                left_out += len(folders)
                folders.clear()
            target = destination / inside
            target.mkdir(mode=0o700, exist_ok=True)
            left_out += sum(not _copy_file(handle, name, target / name, owner) for name in files)
            _give(target, owner)
    except OSError as error:
        raise StoreError(f"{source} cannot be copied: {error.strerror}") from error
    return left_out


def _copy_file(folder: int, name: str, target: Path, owner: Identity) -> bool:
    """Copy one regular file; whether it was one that can be read."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    with os.fdopen(handle, "rb") as reading:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            return False
        with target.open("xb") as writing:
            shutil.copyfileobj(reading, writing)
    target.chmod(0o700 if mode & stat.S_IXUSR else 0o600)
    _give(target, owner)
    return True


def _give(path: Path, owner: Identity) -> None:
    if os.geteuid() == 0:
        os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
