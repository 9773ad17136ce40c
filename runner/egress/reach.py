"""From a name to a connection: looks it up, checks every address, and dials the very ones that were checked."""

from __future__ import annotations

import asyncio
import os
import socket

from runner.egress.addresses import Address, refusal
from runner.egress.audit import Entry
from runner.egress.dial import dial_first
from runner.egress.order import GatewayOrder
from runner.egress.resolver import ResolveError

OWN_SECONDS = 1.0


class Refused(Exception):
    """A connection is not made, or not carried on; the message is the audit's reason."""


class Reach:
    """The way to servers, in one event loop."""

    def __init__(self, order: GatewayOrder) -> None:
        self._order = order
        self._own: frozenset[Address] = frozenset()
        self._own_until = -1.0

    async def connect(self, entry: Entry, port: int) -> socket.socket:
        """A connection to the entry's name; the entry gets the address. Raises `Refused`."""
        addresses = await self._checked(entry)
        address, upstream = await self._dialled(addresses, port)
        entry.address = str(address)
        return upstream

    async def _checked(self, entry: Entry) -> list[Address]:
        """The addresses of a name, when every one of them may be dialled. Raises `Refused`.

        One closed answer among open ones refuses the name: whoever mixes them is trying what gets through.
        """
        try:
            addresses = await self._order.outside.resolver.resolve(entry.name)
            own = self._own_addresses()
        except ResolveError as error:
            raise Refused(str(error)) from error
        except OSError as error:
            raise Refused("own-addresses-unknown") from error
        for address in addresses:
            why = refusal(address, entry.name, private=self._order.private, own=own)
            if why:
                entry.address = str(address)
                raise Refused(f"address: {why}")
        return addresses[: self._order.limits.dialled]

    def _own_addresses(self) -> frozenset[Address]:
        """This host's addresses, at most a second old: to ask the kernel takes as long as the rest of a lookup."""
        now = asyncio.get_running_loop().time()
        if now > self._own_until:
            self._own, self._own_until = self._order.outside.own(), now + OWN_SECONDS
        return self._own

    async def _dialled(self, addresses: list[Address], port: int) -> tuple[Address, socket.socket]:
        try:
            async with asyncio.timeout(self._order.limits.connect):
                return await dial_first(addresses, port, self._order.outside.dial)
        except TimeoutError:
            raise Refused("connect-timed-out") from None
        except OSError as error:
            # By its number: asyncio's own text holds the address, which is for the audit and not for the sandbox.
            raise Refused(f"connect-failed: {os.strerror(error.errno or 0)}") from error
