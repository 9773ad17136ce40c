"""Carries bytes both ways between a sandbox and the server it was connected to, within limits."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from runner.egress.http_guard import HttpGuard
from runner.egress.http_head import HeadError


class UploadMeter:
    """What one run has sent out, over all of its connections."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.used = 0
        self.exceeded = False
        self.when_exceeded: Callable[[], None] = lambda: None

    def take(self, count: int) -> bool:
        """Count bytes that are about to be sent; False when they may not be, and nothing may from then on."""
        if not self.exceeded and self.used + count > self._limit:
            self.exceeded = True
            self.when_exceeded()
        if not self.exceeded:
            self.used += count
        return not self.exceeded


class _End(asyncio.Protocol):
    """One of a tunnel's two ends. What one cannot take yet, the other stops reading."""

    transport: asyncio.Transport | None = None
    other: _End

    def __init__(self, tunnel: Tunnel, forward: Callable[[bytes], None], *, gone: str) -> None:
        self._tunnel = tunnel
        self._forward = forward
        self._gone = gone
        self.ended = False
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.pause_reading()  # until the other end stands too

    def data_received(self, data: bytes) -> None:
        self._forward(data)

    def eof_received(self) -> bool:
        self.ended = True
        if self.other.ended:
            self._tunnel.stop("closed", flush=True)
        elif self.other.transport:
            self.other.transport.write_eof()
        return True

    def write(self, data: bytes) -> None:
        if self.transport:
            self.transport.write(data)

    def read_on(self) -> None:
        if self.transport and not self.ended:
            self.transport.resume_reading()

    def pause_writing(self) -> None:
        if self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        self.other.read_on()

    def close(self, *, flush: bool) -> None:
        if self.transport and flush:
            self.transport.close()
        elif self.transport:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tunnel.stop(self._gone if exc else "closed", flush=True)
        self.lost.set_result(None)


class Tunnel:
    """One connection that was allowed, from its first byte to its last."""

    def __init__(self, meter: UploadMeter, guard: HttpGuard | None) -> None:
        self._meter = meter
        self._guard = guard
        self._loop = asyncio.get_running_loop()
        self._inside = _End(self, self._up, gone="client-gone")
        self._outside = _End(self, self._down, gone="server-gone")
        self._inside.other, self._outside.other = self._outside, self._inside
        self.bytes_up = 0
        self.bytes_down = 0
        self.ended = ""
        """Why it ended, once it has."""
        self.refused = ""
        """Which rule its bytes broke, if they did."""
        self.started = self.touched = self._loop.time()
        self._head_since: float | None = None

    async def carry(self, inside: socket.socket, outside: socket.socket, opening: bytes) -> None:
        """Take both sockets over, send `opening` to the server, and return when both are closed."""
        try:
            await self._loop.connect_accepted_socket(lambda: self._outside, outside)
            await self._loop.connect_accepted_socket(lambda: self._inside, inside)
        except BaseException:
            inside.close()
            outside.close()
            raise
        if self.ended:  # stopped while the ends were being made
            self.stop(self.ended)
        elif opening:
            self._up(opening)
        self._inside.read_on()
        self._outside.read_on()
        await self._inside.lost
        await self._outside.lost

    def stop(self, why: str, *, flush: bool = False) -> None:
        """End it; with `flush`, what is already on its way is still delivered, for which a second `stop` won't wait."""
        if self.ended and flush:
            return
        self.ended = self.ended or why
        self._inside.close(flush=flush)
        self._outside.close(flush=flush)

    def overdue(self, *, idle: float, total: float, head: float) -> str:
        """Which limit, in seconds, it has passed; empty when none."""
        now = self._loop.time()
        if now - self.started > total:
            return "total-time"
        if now - self.touched > idle:
            return "idle"
        return "slow-head" if self._head_since is not None and now - self._head_since > head else ""

    def _up(self, data: bytes) -> None:
        self.touched = self._loop.time()
        try:
            data = self._guard.outgoing(data) if self._guard else data
        except HeadError as error:
            self._refuse(error)
            return
        if self._guard and self._guard.within_head:
            if data or self._head_since is None:
                self._head_since = self.touched
        else:
            self._head_since = None
        if not data:
            return
        if not self._meter.take(len(data)):
            self.stop("upload-limit")
            return
        self.bytes_up += len(data)
        self._outside.write(data)

    def _down(self, data: bytes) -> None:
        self.touched = self._loop.time()
        if self._guard:
            try:
                self._guard.incoming(data)
            except HeadError as error:
                self._refuse(error)
                return
        self.bytes_down += len(data)
        self._inside.write(data)

    def _refuse(self, error: HeadError) -> None:
        self.refused = f"http: {error}"
        self.stop("refused")
