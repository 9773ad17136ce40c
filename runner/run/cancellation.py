"""A request to end a run, made from a signal handler, another thread or a library's caller."""

from __future__ import annotations

import threading


class Cancellation:
    """Counts requests: the first asks to stop and collect, the second to kill and collect."""

    def __init__(self) -> None:
        self._requests = 0
        self._event = threading.Event()

    def request(self) -> None:
        """Ask once more. Safe in a signal handler: it takes no lock that the handler's thread could hold."""
        self._requests += 1
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether the run is to end."""
        return self._requests > 0

    @property
    def urgent(self) -> bool:
        """Whether the run is to end without grace."""
        return self._requests > 1
