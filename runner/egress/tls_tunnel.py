"""A tunnel that speaks TLS for the sandbox: plain HTTP comes in, and leaves with a credential."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

from runner.egress.http_head import HeadError
from runner.egress.inject import InjectingGuard
from runner.egress.tunnel import UploadMeter
from runner.redact import Redactor

PIECE = 64 * 1024
HELD_SECONDS = 1.0
"""What may be the beginning of a secret is held back so long, and then it is none."""


class TlsTunnel:
    """One connection to an injected host; in all that a switchboard asks of it like a `Tunnel`."""

    def __init__(self, meter: UploadMeter, guard: InjectingGuard, redactor: Redactor) -> None:
        self._meter = meter
        self._guard = guard
        self._redactor = redactor
        self._loop = asyncio.get_running_loop()
        self._tasks: list[asyncio.Task[None]] = []
        self.bytes_up = 0
        self.bytes_down = 0
        self.ended = ""
        """Why it ended, once it has."""
        self.refused = ""
        """Which rule its bytes broke, if they did."""
        self.started = self.touched = self._loop.time()
        self._head_since: float | None = None

    async def open(self, upstream: socket.socket, host: str, context: ssl.SSLContext, *, seconds: float) -> None:
        """TLS with `host`, whose certificate is checked. Raises `ssl.SSLError`, OSError."""
        self._reader, self._writer = await asyncio.open_connection(
            sock=upstream, ssl=context, server_hostname=host, ssl_handshake_timeout=seconds, limit=PIECE
        )

    async def carry(self, inside: socket.socket, opening: bytes) -> None:
        """Carry both ways until one side has ended; `inside` stays the caller's to close."""
        self._tasks = [
            asyncio.ensure_future(self._upwards(inside, opening)),
            asyncio.ensure_future(self._downwards(inside)),
        ]
        try:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            if not self._tasks[1].done() and not self.ended:  # the program has sent its last: the answer still comes
                await asyncio.wait(self._tasks)
        finally:
            self.stop("gateway-closed")
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._writer.transport.abort()

    def stop(self, why: str, *, flush: bool = False) -> None:  # noqa: ARG002 - as a `Tunnel` is stopped
        """End it."""
        self.ended = self.ended or why
        for task in self._tasks:
            task.cancel()

    def overdue(self, *, idle: float, total: float, head: float) -> str:
        """Which limit, in seconds, it has passed; empty when none."""
        now = self._loop.time()
        if now - self.started > total:
            return "total-time"
        if now - self.touched > idle:
            return "idle"
        return "slow-head" if self._head_since is not None and now - self._head_since > head else ""

    async def _upwards(self, inside: socket.socket, data: bytes) -> None:
        with contextlib.suppress(OSError):
            while data or (data := await self._loop.sock_recv(inside, PIECE)):
                self.touched = self._loop.time()
                try:
                    out = self._guard.outgoing(data)
                except HeadError as error:
                    self.refused = f"http: {error}"
                    self.stop("refused")
                    return
                if not self._guard.within_head:
                    self._head_since = None
                elif out or self._head_since is None:
                    self._head_since = self.touched
                if out and not self._meter.take(len(out)):
                    self.stop("upload-limit")
                    return
                self.bytes_up += len(out)
                self._writer.write(out)
                await self._writer.drain()
                data = b""

    async def _downwards(self, inside: socket.socket) -> None:
        try:
            while data := await self._heard():
                self.touched = self._loop.time()
                self.bytes_down += len(data)
                await self._loop.sock_sendall(inside, data)
            self.ended = self.ended or "server-gone"
        except OSError:
            self.ended = self.ended or "client-gone"

    async def _heard(self) -> bytes:
        """The next bytes for the sandbox, credentials masked; nothing when the server has ended."""
        while True:
            try:
                async with asyncio.timeout(HELD_SECONDS if self._redactor.holds else None):
                    data = await self._reader.read(PIECE)
            except TimeoutError:
                return self._redactor.flush()
            except (OSError, ssl.SSLError):
                data = b""
            if not data:
                return self._redactor.flush()
            if shown := self._redactor.feed(data):
                return shown
