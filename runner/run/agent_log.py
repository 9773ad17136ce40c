"""The agent's output: masked, counted, bounded; kept in `agent.log` and shown as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from runner.errors import StoreError
from runner.redact import Redactor

TRUNCATED = b"\n[paddock: the output limit was reached; the rest was dropped]\n"

Show = Callable[[int, bytes], None]


class AgentLog:
    """Writes at most `limit` bytes and then one line that says so. One redactor for each stream.

    `show` may fail, when whoever watches has gone; `follow`, which reads the same, may not.

    Taking output never fails: an agent whose output is not read would stand still. A disk that is full and a
    terminal that has gone are remembered, and the output goes on being counted.
    """

    def __init__(
        self, path: Path, *, limit: int, secrets: Iterable[str], show: Show, follow: Show | None = None
    ) -> None:
        values = tuple(secrets)
        self._path = path
        self._limit = limit
        self._show: Show | None = show
        self._follow = follow
        self._redactors = {1: Redactor(values), 2: Redactor(values)}
        self._file: BinaryIO | None = None
        self.received = 0
        """Bytes that the agent printed, kept or not."""
        self.failure = ""
        """Why the log is not whole, if it is not."""

    def __enter__(self) -> AgentLog:
        try:
            self._file = self._path.open("ab", buffering=0)
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written: {error.strerror}") from error
        return self

    def __exit__(self, *_: object) -> None:
        if not self.exceeded:
            for stream, redactor in self._redactors.items():
                self._keep(stream, redactor.flush())
        if self._file is not None:
            self._file.close()

    @property
    def exceeded(self) -> bool:
        """Whether more came than the limit allows."""
        return self.received > self._limit

    def write(self, stream: int, data: bytes) -> None:
        """Take one piece of output; what passes the limit is counted and dropped."""
        room = max(0, self._limit - self.received)
        was_exceeded = self.exceeded
        self.received += len(data)
        self._keep(stream, self._redactors[stream].feed(data[:room]) if room else b"")
        if self.exceeded and not was_exceeded:
            # What a redactor holds back may be the beginning of a secret whose end is now dropped.
            self._keep(stream, TRUNCATED)

    def _keep(self, stream: int, data: bytes) -> None:
        if not data:
            return
        try:
            if self._file is not None and not self.failure:
                self._file.write(data)
        except OSError as error:
            self.failure = f"the agent's output could not be kept: {error.strerror}"
        if self._follow is not None:
            self._follow(stream, data)
        try:
            if self._show is not None:
                self._show(stream, data)
        except (OSError, ValueError):
            self._show = None  # whoever watched has gone (`paddock run ... | head`); the run goes on
