"""Locks of this machine: two Paddocks with one state directory do a thing once, and the second waits for the first."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.errors import StoreError


@contextmanager
def sole(state_dir: Path, name: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock `name`; `waiting` is called first when somebody else has it. Raises `StoreError`."""
    try:
        locks = state_dir / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        lock = (locks / name).open("w")
    except OSError as error:
        raise StoreError(f"{state_dir} cannot be written: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
