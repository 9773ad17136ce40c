"""What a sandbox hands over when its agent has ended by itself and nobody is left inside; `shim_collect` is its end.

What comes is hostile, as from any collector. It is used when it is whole: a report without a problem, and a bundle that
the quarantine takes. In every other case it is as if nothing had come, and a collector container does the work.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

from runner.repo.workspace import Workspace
from runner.run.attempt import Attempt, hands_over
from runner.sandbox.control import Handshake
from runner.store.files import make_folder
from runner.store.tree import remove_tree

SECONDS = 60.0
"""What a hand-over may take; a larger repository is collected by a container of its own, which has the time."""
SLACK = 10.0
DRAIN_SECONDS = 10.0
"""For what a sandbox that has ended had sent before."""
MAX_LINE = 4096
MAX_INDEX = 64 * 1024 * 1024


class HandOver:
    """A connection on which a sandbox may say, once, that its agent has ended."""

    def __init__(self, attempt: Attempt, workspace: Workspace, handshake: Handshake) -> None:
        self._attempt, self._workspace, self._handshake = attempt, workspace, handshake
        self.ended: float | None = None
        """When the agent ended, on the monotonic clock."""
        self.complete = False
        """Whether all that was promised has come."""
        self._code: int | None = None
        """The agent's, as its sandbox said."""
        self._none_killed = False
        self._until = 0.0

    def run(self) -> None:
        """Wait for the end and take what is handed over. Never fails, and never lets a sandbox wait for its answer."""
        try:
            with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
                self._take()
        finally:
            self._handshake.hang_up()

    def correct(self) -> None:
        """What became of the sandbox after its end, and what the collecting used up, is not the agent's doing."""
        supervised, code = self._attempt.supervised, self._code
        if supervised is None or supervised.exit is None or code is None:
            return
        supervised.exit = supervised.exit.model_copy(update={"code": code})
        if self._none_killed:
            supervised.exit = supervised.exit.model_copy(update={"out_of_memory": False})

    def _take(self) -> None:
        attempt, clock = self._attempt, self._attempt.host.clock
        told = _object(self._handshake.later_line(MAX_LINE))
        if not told:
            return
        if told["ended"] not in range(256):
            return
        self._code, self.ended, attempt.ended_at = told["ended"], clock.monotonic(), int(clock.now().timestamp())
        self._none_killed = told["killed_for_memory"] == 0
        if not self._none_killed:
            return
        from runner.run.collect import collector_request

        request = collector_request(attempt, self._workspace, attempt.ended_at, seconds=SECONDS)
        index = self._index()
        about = {"index": len(index[0]), "index_changed": index[1], "moves_nothing": True}
        self._handshake.answer(json.dumps(request | about).encode() + b"\n" + index[0])
        self._until = time.monotonic() + SECONDS + SLACK
        sizes = _object(self._handshake.later_line(MAX_LINE, self._until))
        folder = attempt.paths.collector_out
        remove_tree(folder)
        make_folder(folder, 0o700)
        self.complete = all([self._file(name, sizes) for name in most_bytes()])

    def _index(self) -> tuple[bytes, int]:
        """Git's index from before the agent began, which spares it reading every file, and when it was written."""
        place = self._workspace.index_copy
        if not place.is_file() or place.stat().st_size > MAX_INDEX:
            return b"", 0
        return place.read_bytes(), place.stat().st_mtime_ns

    def _file(self, name: str, sizes: dict[str, Any]) -> bool:
        size, most = sizes[name], most_bytes()[name]
        if size == -1:
            return True
        if not 0 <= size <= most:
            return False
        with (self._attempt.paths.collector_out / name).open("xb") as file:
            return self._handshake.pour(size, file, self._until)


def most_bytes() -> dict[str, int]:
    """What is taken in, in this order, and how much of it at most."""
    from runner.repo.gates import MAX_BUNDLE_SIZE
    from runner.repo.quarantine import BUNDLE_NAME, MAX_REPORT, REPORT_NAME

    return {REPORT_NAME: MAX_REPORT, BUNDLE_NAME: MAX_BUNDLE_SIZE}


def _object(line: bytes) -> dict[str, Any]:
    value = json.loads(line) if line else {}
    return value if isinstance(value, dict) else {}


@contextmanager
def handing_over(attempt: Attempt, handshake: Handshake) -> Iterator[HandOver | None]:
    """Take what the sandbox hands over while it is watched. When the scope ends it has come, or never will."""
    if not hands_over(attempt) or attempt.workspace is None:
        yield None
        return
    work = HandOver(attempt, attempt.workspace, handshake)
    thread = Thread(target=work.run, name="hand-over", daemon=True)
    thread.start()
    try:
        yield work
    finally:
        thread.join(DRAIN_SECONDS)
        handshake.hang_up()
        thread.join()
        work.correct()
        attempt.handed_over = work.complete
