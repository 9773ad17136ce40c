"""A tunnel that speaks TLS for the sandbox: plain HTTP comes in, and leaves with a credential."""

from __future__ import annotations

import asyncio
import socket
import ssl

from runner.egress.carriage import Carriage, UploadMeter
from runner.egress.http_head import HeadError
from runner.egress.inject import InjectingGuard

PIECE = 64 * 1024


class PatientReader(asyncio.StreamReader):
    """What a server said before its connection broke is read to its end, and then there is no more."""

    def set_exception(self, exc: Exception) -> None:  # noqa: ARG002
        self.feed_eof()


class TlsTunnel(Carriage):
    """A `Carriage` to an injected host."""

    def __init__(self, meter: UploadMeter, guard: InjectingGuard) -> None:
        super().__init__(meter, guard)
        self._injecting = guard
        self._tasks: list[asyncio.Task[None]] = []
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
            self.abandon()

    def abandon(self) -> None:
        """Hang up on the server, whether or not anything was carried."""
        self._writer.transport.abort()
        self._injecting.answers.abandon()

    def stop(self, why: str, *, flush: bool = False) -> None:  # noqa: ARG002 - nothing here outlives its task
        """See `Carriage.stop`."""
        self.ended = self.ended or why
        for task in self._tasks:
            task.cancel()

    async def _upwards(self, inside: socket.socket, data: bytes) -> None:
        while data or (data := await self._said(inside)):
            out = self.let_out(data)
            if self.ended:
                return
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
        over = self._client_ended and (self._injecting.cut_off or not self._injecting.answers.waiting)
        return over or bool(self.ended) or self._tasks[1].done()

    async def _downwards(self, inside: socket.socket) -> None:
        more = True
        while more and not self._finished:
            data = await self._reader.read(PIECE)
            more = bool(data)
            self.touched = self._loop.time()
            try:
                shown = self._injecting.answers.incoming(data) if more else self._injecting.answers.end()
                await self._loop.sock_sendall(inside, shown)
            except HeadError as error:
                self.refuse(error)
                return
            except OSError:
                self.ended = self.ended or "client-gone"
                return
            self.bytes_down += len(shown)
        self.ended = self.ended or ("closed" if more else "server-gone")
