"""Turns a name into addresses, as this host does, within a time."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from runner.egress.addresses import Address

MAX_ANSWERS = 64
_AT_ONCE = 8


class ResolveError(Exception):
    """A name has no address, or nobody said so in time; the message says which, in stable words."""


class Resolver(Protocol):
    """Looks up names."""

    async def resolve(self, name: str) -> list[Address]:
        """Every address of a canonical name, none twice, at least one. Raises `ResolveError`."""


class SystemResolver:
    """The host's own resolver: `/etc/hosts`, DNS, whatever is set up; at most eight lookups at once."""

    def __init__(self, *, timeout: float = 5.0) -> None:
        self._timeout = timeout
        self._pool: ThreadPoolExecutor | None = None

    async def resolve(self, name: str) -> list[Address]:
        """See `Resolver.resolve`; a lookup that is given up keeps its thread until the C library gives up too."""
        self._pool = self._pool or ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="resolve")
        lookup = asyncio.get_running_loop().run_in_executor(self._pool, _lookup, name)
        try:
            return await asyncio.wait_for(lookup, self._timeout)
        except TimeoutError:
            raise ResolveError("lookup-timed-out") from None


class FixedResolver:
    """A resolver that knows what it was told and nothing else: for tests, and for names that a caller pins."""

    def __init__(self, names: Mapping[str, Iterable[str]]) -> None:
        self._names = {name: [ipaddress.ip_address(text) for text in texts] for name, texts in names.items()}
        self.asked: list[str] = []

    async def resolve(self, name: str) -> list[Address]:
        """See `Resolver.resolve`."""
        self.asked.append(name)
        if not self._names.get(name):
            raise ResolveError("no-such-name")
        return list(self._names[name])


def _lookup(name: str) -> list[Address]:
    # With the dot first: without it the resolver may append the host's search domains, and find another host.
    for spelling in (name + ".", name):  # `/etc/hosts` knows only the second
        try:
            found = socket.getaddrinfo(spelling, None, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        except (OSError, UnicodeError):
            continue
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        return list(dict.fromkeys(addresses))[:MAX_ANSWERS]
    raise ResolveError("no-such-name")
