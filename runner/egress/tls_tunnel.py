"""A tunnel that speaks TLS for the sandbox: plain HTTP comes in, and leaves with a credential."""

from __future__ import annotations

import asyncio
import socket
import ssl

from runner.egress.http_head import HeadError
from runner.egress.inject import InjectingGuard
from runner.egress.tunnel import UploadMeter

PIECE = 64 * 1024


class PatientReader(asyncio.StreamReader):
    """What a server said before its connection broke is read to its end, and then there is no more."""

    def set_exception(self, exc: Exception) -> None:  # noqa: ARG002
        self.feed_eof()


class TlsTunnel:
    """One connection to an injected host; in all that a switchboard asks of it like a `Tunnel`."""

    def __init__(self, meter: UploadMeter, guard: InjectingGuard) -> None:
        self._meter = meter
        self._guard = guard
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
        self._client_ended = False

    async def open(self, upstream: socket.socket, host: str, context: ssl.SSLContext, *, seconds: float) -> None:
        """TLS with `host`, whose certificate is checked. Raises `ssl.SSLError`, OSError."""
        if not context.check_hostname or context.verify_mode is not ssl.CERT_REQUIRED:
            raise ssl.SSLError("a context that does not check whom it talks to")
        self._reader = PatientReader(limit=PIECE)
        transport, protocol = await self._loop.create_connection(
            lambda: asyncio.StreamReaderProtocol(self._reader),
            sock=upstream,
            ssl=context,
            server_hostname=host,
            ssl_handshake_timeout=seconds,
        )
        self._writer = asyncio.StreamWriter(transport, protocol, self._reader, self._loop)

    async def carry(self, inside: socket.socket, opening: bytes) -> None:
        """Carry both ways until one side has ended; `inside` stays the caller's to close."""
        self._tasks = [
            asyncio.ensure_future(self._upwards(inside, opening)),
            asyncio.ensure_future(self._downwards(inside)),
        ]
        try:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            if not self._finished:  # the program has sent its last: the answer still comes
                await asyncio.wait(self._tasks)
            self.ended = self.ended or "closed"
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
        while data or (data := await self._said(inside)):
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
            try:
                self._writer.write(out)
                await self._writer.drain()
            except OSError:  # it takes no more; what it said before that is still to be passed on
                return
            data = b""
        self._client_ended = True

    async def _said(self, inside: socket.socket) -> bytes:
        """The next bytes of the program; nothing when it has ended."""
        try:
            return await self._loop.sock_recv(inside, PIECE)
        except OSError:
            return b""

    @property
    def _finished(self) -> bool:
        """Whether the program has ended and nothing is to come for it; a server would keep the connection for more."""
        over = self._client_ended and (self._guard.cut_off or not self._guard.answers.waiting)
        return over or bool(self.ended) or self._tasks[1].done()

    async def _downwards(self, inside: socket.socket) -> None:
        more = True
        while more and not self._finished:
            data = await self._reader.read(PIECE)
            more = bool(data)
            self.touched = self._loop.time()
            try:
                shown = self._guard.answers.incoming(data) if more else self._guard.answers.end()
                await self._loop.sock_sendall(inside, shown)
            except HeadError as error:
                self.refused = f"http: {error}"
                self.stop("refused")
                return
            except OSError:
                self.ended = self.ended or "client-gone"
                return
            self.bytes_down += len(shown)
        self.ended = self.ended or ("closed" if more else "server-gone")
