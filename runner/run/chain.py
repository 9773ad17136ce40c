"""How the runs of one piece of work hang together: each names the one that went on with it, for whoever waits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from runner.errors import StoreError
from runner.store.files import read_bounded, write_whole
from runner.store.runs import RunPaths

LONGEST_ID = 200
POLL_SECONDS = 0.1


class Chain:
    """Writes it down while the work goes round. A disk that is full breaks the chain, and no run."""

    def __init__(self) -> None:
        self._last: RunPaths | None = None

    def opened(self, paths: RunPaths) -> None:
        """One more run: the one before is followed by it, and whether it is followed itself is open."""
        with suppress(StoreError):
            write_whole(paths.following, "")
            if self._last is not None:
                write_whole(self._last.following, paths.id)
        self._last = paths

    def close(self) -> None:
        """The work is over: nothing follows the last run."""
        if self._last is not None:
            with suppress(OSError):
                self._last.following.unlink(missing_ok=True)


def follower(paths: RunPaths) -> str | None:
    """The run that went on with this one: its id; empty while that is open; `None` when there is none."""
    try:
        return read_bounded(paths.following, LONGEST_ID).decode("ascii", "replace")
    except StoreError:
        return None


def chain_from(paths: RunPaths) -> Iterator[RunPaths]:
    """A run and those that went on with it, as far as there are any by now."""
    seen: set[str] = set()
    while paths.id not in seen and paths.directory.is_dir():
        seen.add(paths.id)
        yield paths
        if not (following := follower(paths)):
            return
        paths = RunPaths(paths.directory.parent / following)


def await_follower(paths: RunPaths, alive: Callable[[], bool], until: float | None = None) -> RunPaths | None:
    """The run that goes on with this one, which is over; `None` when none will. Raises `TimeoutError` past `until`."""
    while True:
        worked = alive()
        following = follower(paths)
        if following or following is None or not worked:
            return RunPaths(paths.directory.parent / following) if following else None
        if until is not None and time.monotonic() > until:
            raise TimeoutError
        time.sleep(POLL_SECONDS)
