"""Tells which of a run's tunnels have something to read, or room to write."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

PIECE = 256 * 1024
"""Bytes that one read takes at most."""


class Watch:
    """Which sockets of a loop's tunnels are ready: an epoll of our own, which the loop watches as one reader.

    To have the loop watch each socket costs a call of its own for every event, and much more for every change.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._epoll.fileno(), self._ready)
        self.buffer = memoryview(bytearray(PIECE))
        """For all of them: nothing stays in it from one piece to the next."""

    def wait_for(self, number: int, events: int, handler: Callable[[int], None]) -> None:
        """Call `handler` when a descriptor has one of these events, an end or an error; no events: forget it.

        It is forgotten before it is closed.
        """
        if number not in self._handlers:
            if events:
                self._epoll.register(number, events)
                self._handlers[number] = handler
        elif events:
            self._epoll.modify(number, events)
        else:
            self._epoll.unregister(number)
            del self._handlers[number]

    def close(self) -> None:
        """End it."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _ready(self) -> None:
        for number, events in self._epoll.poll(0, 64):
            handler = self._handlers.get(number)
            if handler:  # or one that came before it in this round has closed it
                handler(events)
