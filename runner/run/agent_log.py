"""The agent's output: masked, counted, bounded; kept in `agent.log` and shown as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from runner.redact import Redactor

TRUNCATED = b"\n[paddock: the output limit was reached; the rest was dropped]\n"

Show = Callable[[int, bytes], None]


class AgentLog:
    """Writes at most `limit` bytes and then one line that says so. One redactor for each stream."""

    def __init__(self, path: Path, *, limit: int, secrets: Iterable[str], show: Show) -> None:
        values = tuple(secrets)
        self._path = path
        self._limit = limit
        self._show = show
        self._redactors = {1: Redactor(values), 2: Redactor(values)}
        self._file: BinaryIO | None = None
        self.received = 0
        """Bytes that the agent printed, kept or not."""

    def __enter__(self) -> AgentLog:
        self._file = self._path.open("ab", buffering=0)
        return self

    def __exit__(self, *_: object) -> None:
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
            self._keep(stream, self._redactors[stream].flush() + TRUNCATED)

    def _keep(self, stream: int, data: bytes) -> None:
        if data and self._file is not None:
            self._file.write(data)
            self._show(stream, data)
