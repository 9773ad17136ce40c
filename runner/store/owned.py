"""Whether a file that decides something is its owner's word alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from runner.errors import RefusedError, StoreError
from runner.escape import escape_text

OTHERS_WRITE = 0o022


def refuse_others(path: Path, *, folder: bool, why: str) -> None:
    """Raises `RefusedError` where anybody but this user (or root) could have put something there.

    `why` says what the content has to be. Raises `StoreError` for what cannot be looked at.
    """
    shown = escape_text(os.fsencode(path))
    try:
        status = path.stat() if folder else path.lstat()
    except OSError as error:
        raise StoreError(f"{shown} cannot be looked at: {error.strerror}") from error
    if stat.S_ISLNK(status.st_mode):
        raise RefusedError(f"{shown} is a symbolic link, so somebody else may own it.", hint="Remove the link.")
    if status.st_uid not in {os.geteuid(), 0}:
        raise RefusedError(f"{shown} belongs to another user.", hint=why)
    if status.st_mode & OTHERS_WRITE:
        raise RefusedError(f"Others may write {shown}.", hint=f"chmod go-w {shown}")
