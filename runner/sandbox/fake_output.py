"""What a fake container has printed, kept as a real engine keeps it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from runner.sandbox.engine import Output, Times


class Kept:
    """All of one container's output, with the times at which it came; used from several threads."""

    def __init__(self) -> None:
        self._pieces: list[tuple[float, Output]] = []
        self._changed = threading.Condition()
        self._over = False
        self._begun = self._ended = 0.0

    def begin(self) -> None:
        """The container starts."""
        self._begun = time.monotonic()

    def add(self, piece: Output) -> None:
        """It printed something."""
        with self._changed:
            self._pieces.append((time.monotonic(), piece))
            self._changed.notify_all()

    def end(self) -> None:
        """It will print no more; or nobody is to wait for that."""
        with self._changed:
            self._over = True
            self._ended = self._ended or time.monotonic()
            self._changed.notify_all()

    def replay(self) -> Iterator[Output]:
        """See `Box.replay`."""
        position = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or len(self._pieces) > position)  # noqa: B023
                if len(self._pieces) == position:
                    return
                at, piece = self._pieces[position]
            position += 1
            yield Output(piece.stream, piece.data, time.monotonic() - at)

    def times(self) -> Times:
        """See `Box.times`."""
        until = self._ended or time.monotonic()
        begun = self._begun or until
        last = self._pieces[-1][0] if self._pieces else begun
        return Times(ran=until - begun, silent=max(0.0, until - last))
