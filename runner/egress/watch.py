"""The selector of a gateway's event loop: it serves the tunnels by itself, and tells the loop of everything else."""

from __future__ import annotations

import math
import select
from collections.abc import Callable, Mapping
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, SelectorKey
from typing import Any, Protocol

PIECE = 256 * 1024
"""Bytes that one read takes at most."""
_EVENTS = 64
"""Sockets that are served in one round; those that were not come first in the next."""


class _HasNumber(Protocol):
    def fileno(self) -> int: ...


class Watch(BaseSelector):
    """One epoll for a loop and its tunnels: what is ready in a tunnel is moved on before the loop hears of a round.

    To have the loop call for each of their events costs as much as all the rest of moving a small piece.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._keys: dict[int, SelectorKey] = {}
        self._handlers: dict[int, Callable[[int], None]] = {}
        self.buffer = memoryview(bytearray(PIECE))
        """For all of them: nothing stays in it from one piece to the next."""

    def wait_for(self, number: int, events: int, handler: Callable[[int], None]) -> None:
        """Call `handler` when a descriptor has one of these events, an end or an error; no events: for now never."""
        if number in self._handlers:
            self._epoll.modify(number, events) if events else self._epoll.unregister(number)
            if not events:
                del self._handlers[number]
        elif events:
            self._epoll.register(number, events)
            self._handlers[number] = handler

    def forget(self, number: int) -> None:
        """A descriptor is about to be closed, which ends the kernel's interest in it."""
        self._handlers.pop(number, None)

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """See `BaseSelector.select`; of tunnels nothing is told."""
        # Rounded up, as the standard library's: a timer that is nearly due shall not be asked for again and again.
        wait = -1.0 if timeout is None else max(0.0, math.ceil(timeout * 1000) / 1000)
        ready = []
        for number, events in self._epoll.poll(wait, _EVENTS):
            handler = self._handlers.get(number)
            if handler is not None:
                handler(events)
            elif key := self._keys.get(number):  # or one that came before it in this round has closed it
                told = (EVENT_READ if events & ~select.EPOLLOUT else 0) | (
                    EVENT_WRITE if events & ~select.EPOLLIN else 0
                )
                if told & key.events:
                    ready.append((key, told & key.events))
        return ready

    def register(self, fileobj: int | _HasNumber, events: int, data: Any = None) -> SelectorKey:
        """See `BaseSelector.register`."""
        number = _number(fileobj)
        if number in self._keys:
            raise KeyError(f"{fileobj!r} is already registered")
        self._epoll.register(number, _mask(events))
        self._keys[number] = key = SelectorKey(fileobj, number, events, data)
        return key

    def unregister(self, fileobj: int | _HasNumber) -> SelectorKey:
        """See `BaseSelector.unregister`."""
        key = self._keys.pop(_number(fileobj))
        with suppress(OSError):  # closed already
            self._epoll.unregister(key.fd)
        return key

    def modify(self, fileobj: int | _HasNumber, events: int, data: Any = None) -> SelectorKey:
        """See `BaseSelector.modify`."""
        key = self._keys[_number(fileobj)]
        if events != key.events:
            self._epoll.modify(key.fd, _mask(events))
        self._keys[key.fd] = key = key._replace(events=events, data=data)
        return key

    def get_key(self, fileobj: int | _HasNumber) -> SelectorKey:
        """See `BaseSelector.get_key`."""
        return self._keys[_number(fileobj)]

    def get_map(self) -> Mapping[Any, SelectorKey]:
        """By descriptor."""
        return self._keys

    def close(self) -> None:
        """End it."""
        self._epoll.close()


def _number(fileobj: int | _HasNumber) -> int:
    return fileobj if isinstance(fileobj, int) else fileobj.fileno()


def _mask(events: int) -> int:
    return (select.EPOLLIN if events & EVENT_READ else 0) | (select.EPOLLOUT if events & EVENT_WRITE else 0)
