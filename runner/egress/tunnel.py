"""Carries bytes both ways between a sandbox and the server it was connected to, within limits."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

from runner.egress.carriage import Carriage, UploadMeter
from runner.egress.http_guard import HttpGuard
from runner.egress.http_head import HeadError
from runner.egress.watch import Watch


class _End:
    """One of a tunnel's two sockets. What one cannot take yet is held, and the other is not read meanwhile.

    No transport of the loop's: these take a new buffer for every read, and twice the time for a small piece.
    """

    other: _End

    def __init__(self, tunnel: Tunnel, watch: Watch, forward: Callable[[memoryview], None], *, gone: str) -> None:
        self._tunnel = tunnel
        self._watch = watch
        self._buffer = watch.buffer
        self._forward = forward
        self._gone = gone
        self._socket: socket.socket | None = None
        self._held = bytearray()
        self._reading = False
        self._last = False
        """Nothing is written after what is held."""
        self._closing = False
        self.ended = False
        self.lost = False

    def open(self, sock: socket.socket) -> None:
        """Take a non-blocking socket over; it is not read yet."""
        self._socket = sock

    def read_on(self) -> None:
        """Read, unless there is nothing to come, or nobody to take it."""
        if self._socket and not (self._reading or self.ended or self._closing or self.other._held):
            self._reading = True
            self._wait()

    def pause(self) -> None:
        """Read no more for now."""
        if self._socket and self._reading:
            self._reading = False
            self._wait()

    def write(self, data: bytes | memoryview) -> None:
        """Send, or hold what cannot be sent yet."""
        if self._socket is None or self._closing:
            return
        sent = 0
        if not self._held:
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError:
                self._lose(self._gone)
                return
            if sent == len(data):
                return
            self.other.pause()
            self._held += data[sent:]
            self._wait()
        else:
            self._held += data

    def end(self) -> None:
        """Send no more than what is held."""
        self._last = True
        if self._socket and not self._held:
            try:
                self._socket.shutdown(socket.SHUT_WR)
            except OSError:
                self._lose(self._gone)

    def close(self, *, flush: bool) -> None:
        """Close; with `flush`, once the other side has taken what is held."""
        self._closing = True
        if flush and self._held:
            self.pause()
        else:
            self._lose("closed")

    def _wait(self) -> None:
        if self._socket:
            events = (select.EPOLLIN if self._reading else 0) | (select.EPOLLOUT if self._held else 0)
            self._watch.wait_for(self._socket.fileno(), events, self._ready)

    def _ready(self, events: int) -> None:
        try:
            if self._socket and self._held and events & ~select.EPOLLIN:
                self._writable(self._socket)
            if self._socket and self._reading and events & ~select.EPOLLOUT:
                self._readable(self._socket)
        except Exception:  # noqa: BLE001 - a fault of ours ends the connection that met it, and no other
            self._tunnel.stop("internal-error")

    def _readable(self, sock: socket.socket) -> None:
        try:
            count = sock.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._lose(self._gone)
            return
        if count:
            self._forward(self._buffer[:count])
            return
        self.ended = True
        self.pause()
        if self.other.ended:
            self._tunnel.stop("closed", flush=True)
        else:
            self.other.end()

    def _writable(self, sock: socket.socket) -> None:
        try:
            del self._held[: sock.send(self._held)]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._lose(self._gone)
            return
        if self._held:
            return
        self._wait()
        if self._closing:
            self._lose("closed")
        elif self._last:
            self.end()
        self.other.read_on()

    def _lose(self, why: str) -> None:
        """It is gone: what is held can reach nobody."""
        if self._socket is not None:
            self._watch.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._held.clear()
        if not self.lost:
            self.lost = True
            self._tunnel.stop(why, flush=True)
            if self.other.lost:
                self._tunnel.over()


class Tunnel(Carriage):
    """A `Carriage` of plain bytes, between two sockets."""

    def __init__(self, meter: UploadMeter, guard: HttpGuard | None, watch: Watch) -> None:
        super().__init__(meter, guard)
        self._inside = _End(self, watch, self._up, gone="client-gone")
        self._outside = _End(self, watch, self._down, gone="server-gone")
        self._inside.other, self._outside.other = self._outside, self._inside
        self._over = self._loop.create_future()

    async def carry(self, inside: socket.socket, outside: socket.socket, opening: bytes) -> None:
        """Take both sockets over, send `opening` to the server, and return when both are closed."""
        self._outside.open(outside)
        self._inside.open(inside)
        if opening:
            self._up(memoryview(opening))
        self._inside.read_on()
        self._outside.read_on()
        try:
            await self._over
        except BaseException:
            self.stop("gateway-closed")
            raise

    def stop(self, why: str, *, flush: bool = False) -> None:
        """See `Carriage.stop`; a second `stop` does not wait for what is on its way."""
        if self.ended and flush:
            return
        self.ended = self.ended or why
        self._inside.close(flush=flush)
        self._outside.close(flush=flush)

    def over(self) -> None:
        """Both ends have told that they are gone."""
        if not self._over.done():
            self._over.set_result(None)

    def _up(self, piece: memoryview) -> None:
        if data := self.let_out(piece):
            self._outside.write(data)

    def _down(self, data: memoryview) -> None:
        self.touched = self._loop.time()
        if self._guard:
            try:
                self._guard.incoming(bytes(data))
            except HeadError as error:
                self.refuse(error)
                return
        self.bytes_down += len(data)
        self._inside.write(data)
