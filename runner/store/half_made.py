"""Run directories in the making: held by whoever makes them, so that what a dead one left can be told from them."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import StoreError

YOUNG = 1.0
"""Seconds that a directory may be there before its maker holds it."""


@contextmanager
def being_made(directory: Path) -> Iterator[None]:
    """Hold a new directory until its run is in the ledger. The kernel lets go of it when this process dies."""
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise StoreError(f"{directory} cannot be held: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def nobody_makes(directory: Path) -> bool:
    """Whether a directory is not being made any more. Ask the ledger afterwards: it may have been finished just now."""
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # A clock that was set back makes new directories look as if they came from the future.
        return abs(time.time() - os.fstat(handle).st_ctime) > YOUNG
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
