"""A request to end a run, made from a signal handler, another thread or a library's caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Cancellation:
    """Counts requests: the first asks to stop and collect, the second to kill and collect."""

    def __init__(self) -> None:
        self._requests = 0
        self.interruptible = False
        """Whether there is nothing to collect yet, so that a signal handler may raise `KeyboardInterrupt` at once."""

    def request(self) -> None:
        """Ask once more. Safe in a signal handler: it takes no lock that the handler's thread could hold."""
        self._requests += 1

    @property
    def requested(self) -> bool:
        """Whether the run is to end."""
        return self._requests > 0

    @property
    def urgent(self) -> bool:
        """Whether the run is to end without grace."""
        return self._requests > 1

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """A scope before the agent's start: git, a registry or a build may take minutes, and nothing is lost."""
        self.interruptible = True
        try:
            yield
        finally:
            self.interruptible = False
