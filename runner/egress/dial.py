"""Connects to addresses that were checked, and to no other; of several, the first that answers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence

from runner.egress.addresses import Address

Dial = Callable[[Address, int], Awaitable[socket.socket]]
"""Gives a connected, non-blocking socket. Raises OSError."""

STAGGER = 0.25
"""Seconds before the next address is tried beside one that has not answered (RFC 8305, 5)."""


async def dial_tcp(address: Address, port: int) -> socket.socket:
    """A `Dial`: TCP to exactly that address."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    upstream = socket.socket(family, socket.SOCK_STREAM)
    upstream.setblocking(False)
    place = (str(address), port)
    try:
        with contextlib.suppress(BlockingIOError):
            upstream.connect(place)
        # A server nearby has answered by now: the loop asks once more, and has nothing to wait for.
        await asyncio.get_running_loop().sock_connect(upstream, place)
    except BaseException:
        upstream.close()
        raise
    return upstream


async def dial_first(addresses: Sequence[Address], port: int, dial: Dial) -> tuple[Address, socket.socket]:
    """Whichever of `addresses` answers first, families taking turns. Raises the last OSError when none does."""
    if len(addresses) == 1:
        return addresses[0], await dial(addresses[0], port)
    waiting = _taking_turns(addresses)
    running: dict[asyncio.Task[socket.socket], Address] = {}
    failure = OSError("no address")
    try:
        while waiting or running:
            if waiting:
                address = waiting.pop(0)
                running[asyncio.ensure_future(dial(address, port))] = address
            done, _ = await asyncio.wait(
                running, timeout=STAGGER if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                try:
                    upstream = task.result()
                except OSError as error:
                    failure = error
                    del running[task]
                else:
                    return running.pop(task), upstream
        raise failure
    finally:
        _give_up(running)


def _taking_turns(addresses: Iterable[Address]) -> list[Address]:
    """In the resolver's order, but an address of the other family comes second (RFC 8305, 4)."""
    ordered = list(addresses)
    first = [address for address in ordered if address.version == ordered[0].version]
    other = [address for address in ordered if address.version != ordered[0].version]
    pairs = itertools.zip_longest(first, other)
    return [address for pair in pairs for address in pair if address is not None]


def _give_up(tasks: Iterable[asyncio.Task[socket.socket]]) -> None:
    """Close whatever else was being dialled, or has just answered too."""
    for task in tasks:
        task.cancel()
        task.add_done_callback(_close_result)  # without waiting: who waits can be cancelled, and would lose the first


def _close_result(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
