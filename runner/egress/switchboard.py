"""Serves the sandbox's end: reads what the shim asks, decides it anew, connects, and records how it went."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Coroutine

from runner.egress.audit import Audit, Entry
from runner.egress.budget import UsageCounter
from runner.egress.carriage import Carriage, UploadMeter
from runner.egress.client_hello import HelloError, More, server_name
from runner.egress.credential import Injected
from runner.egress.http_guard import HttpGuard
from runner.egress.inject import InjectingGuard
from runner.egress.order import GatewayOrder
from runner.egress.reach import Reach, Refused
from runner.egress.rules import Reason, canonical_name
from runner.egress.tls_tunnel import TlsTunnel
from runner.egress.tunnel import Tunnel
from runner.egress.watch import Watch
from runner.egress.wire import MAX_LINE, OK, Connect, Lookup, WireError, no_line, parse_line, ports_line
from runner.model.destinations import HTTP_PORT, TLS_PORT


class ClientGone(Exception):
    """The client went away before it sent a byte, as programs do that try several ways at once: nothing was refused."""


class Switchboard:
    """All connections of one run, in one event loop."""

    def __init__(
        self, order: GatewayOrder, audit: Audit, meter: UploadMeter, usage: UsageCounter, watch: Watch
    ) -> None:
        self._order = order
        self._audit = audit
        self._meter = meter
        self._usage = usage
        self._watch = watch
        self._reach = Reach(order)
        self._tunnels: set[Carriage] = set()
        self._asking: set[asyncio.Task[None]] = set()
        self._all: set[asyncio.Task[None]] = set()
        meter.when_exceeded = lambda: self._stop_tunnels("upload-limit")
        usage.when_exceeded = lambda: self._stop_tunnels("budget", TlsTunnel)

    @property
    def active(self) -> int:
        """How many connections the sandbox has open."""
        return len(self._all)

    def admit(self, inside: socket.socket) -> None:
        """Serve a connection that the sandbox has made, unless it has too many."""
        if len(self._all) >= self._order.limits.connections:
            with contextlib.suppress(OSError):
                inside.send(no_line("too-many-connections"))
            inside.close()
            self._audit.note(Entry(kind="protocol", reason="too-many-connections"))
            return
        try:
            begun = inside.recv(MAX_LINE)  # most often its line has come with it: then nobody has to wait for that
        except BlockingIOError:
            begun = b""
        except OSError:
            inside.close()
            return
        task = asyncio.ensure_future(self._serve(inside, begun))
        self._all.add(task)
        self._asking.add(task)
        task.add_done_callback(self._done)

    async def sweep(self) -> None:
        """Stop tunnels that have passed a limit; never returns."""
        limits = self._order.limits
        while True:
            await asyncio.sleep(limits.sweep)
            for tunnel in list(self._tunnels):
                if why := tunnel.overdue(idle=limits.idle, total=limits.total, head=limits.opening):
                    tunnel.stop(why)

    async def close(self) -> None:
        """End every connection, and wait until each is recorded."""
        for task in self._asking:
            task.cancel()
        self._stop_tunnels("gateway-closed")
        if self._all:
            await asyncio.wait(self._all, timeout=2)

    def _stop_tunnels(self, why: str, kind: type[Carriage] = Carriage) -> None:
        for tunnel in [each for each in self._tunnels if isinstance(each, kind)]:
            tunnel.stop(why)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._all.discard(task)
        self._asking.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:  # a fault of ours ends the one connection that met it, closed and on the record
            self._audit.note(Entry(kind="protocol", reason=f"internal-error: {type(error).__name__}"))

    async def _serve(self, inside: socket.socket, data: bytes) -> None:
        """One connection from the shim, which has said that much: lookups, or one tunnel."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                line, feed, rest = data.partition(b"\n")
                if len(line) >= MAX_LINE:
                    raise WireError("line-too-long")
                if not feed:
                    async with asyncio.timeout(self._order.limits.opening if data else None):
                        more = await loop.sock_recv(inside, MAX_LINE)
                    if not more:
                        return
                    data += more
                    continue
                request, data = parse_line(line), rest
                if isinstance(request, Connect):
                    await self._connect(request, inside, data)
                    return
                await loop.sock_sendall(inside, self._looked_up(request))
                await asyncio.sleep(0)  # nothing above waits while lines keep coming: others get their turn here
        except (WireError, TimeoutError) as error:
            self._audit.note(Entry(kind="protocol", reason=str(error) or "line-not-ended"))
        except OSError:  # the sandbox's end has gone
            return
        finally:
            inside.close()

    def _looked_up(self, request: Lookup) -> bytes:
        entry = Entry(kind="lookup", name=request.name)
        try:
            name = canonical_name(request.name)
        except ValueError:
            entry.reason = Reason.NOT_A_NAME
            self._audit.note(entry)
            return no_line(entry.reason)
        ports = self._order.rules.ports_of(name)
        entry.name = name
        entry.verdict = "allowed" if ports else "refused"
        entry.reason = self._order.rules.decide(name, ports[0]).reason if ports else self._order.rules.denial_of(name)
        self._audit.note(entry)
        return ports_line(ports) if ports else no_line(entry.reason)

    async def _connect(self, request: Connect, inside: socket.socket, early: bytes) -> None:
        """Carry one connection; its line is in the audit whatever happens."""
        if not self._audit.promise():
            self._audit.note(Entry(kind="connect", name=request.name, port=request.port, reason="audit-full"))
            await asyncio.get_running_loop().sock_sendall(inside, no_line("audit-full"))
            return
        entry = Entry(kind="connect", name=request.name, port=request.port, reason="gateway-closed")
        begun = asyncio.get_running_loop().time()
        try:
            allowed_as, upstream = await self._connected(request, entry, inside)
            with upstream:
                await self._carry(entry, inside, upstream, early)
            entry.verdict, entry.reason = "allowed", allowed_as
        except ClientGone:
            entry.verdict, entry.reason, entry.ended = "allowed", "client-gone", "client-gone"
        except Refused as refused:
            entry.reason = str(refused)
        finally:
            entry.seconds = asyncio.get_running_loop().time() - begun
            self._audit.keep(entry)

    async def _connected(self, request: Connect, entry: Entry, inside: socket.socket) -> tuple[str, socket.socket]:
        """Why it is allowed, and a connection to the server; the sandbox hears when there is none."""
        try:
            allowed_as = self._allowed(request, entry)
            upstream = await self._reach.connect(entry, TLS_PORT if self._injects(entry) else request.port)
        except Refused as refused:
            with contextlib.suppress(OSError):
                await asyncio.get_running_loop().sock_sendall(inside, no_line(str(refused)))
            raise
        return allowed_as, upstream

    def _allowed(self, request: Connect, entry: Entry) -> str:
        """Why it is allowed; the entry gets the canonical name. Raises `Refused`."""
        try:
            entry.name = canonical_name(request.name)
        except ValueError:
            raise Refused(Reason.NOT_A_NAME) from None
        decision = self._order.rules.decide(entry.name, request.port)
        if not decision.allowed:
            raise Refused(decision.reason)
        if self._usage.exceeded and self._injects(entry):
            raise Refused("budget")
        if not self._meter.take(len(entry.name)):  # a name that is looked up is sent out too
            raise Refused("upload-limit")
        return decision.reason

    def _injects(self, entry: Entry) -> tuple[Injected, ...]:
        """The credentials that requests on this connection get; their host is never spoken to in the clear."""
        return tuple(each for each in self._order.injections if (each.host, HTTP_PORT) == (entry.name, entry.port))

    async def _carry(self, entry: Entry, inside: socket.socket, upstream: socket.socket, early: bytes) -> None:
        if credentials := self._injects(entry):
            await self._carry_injected(entry, inside, upstream, early, credentials)
            return
        try:
            await asyncio.get_running_loop().sock_sendall(inside, OK)
            if entry.port == TLS_PORT:
                early = await self._hello(entry.name, inside, early)
        except OSError:
            raise ClientGone from None
        guard = HttpGuard(entry.name, HTTP_PORT) if entry.port == HTTP_PORT else None
        tunnel = Tunnel(self._meter, guard, self._watch)
        await self._follow(entry, tunnel, tunnel.carry(inside, upstream, early))

    async def _carry_injected(
        self,
        entry: Entry,
        inside: socket.socket,
        upstream: socket.socket,
        early: bytes,
        credentials: tuple[Injected, ...],
    ) -> None:
        tunnel = TlsTunnel(self._meter, InjectingGuard(entry.name, HTTP_PORT, credentials, self._usage))
        loop = asyncio.get_running_loop()
        try:
            if self._order.tls is None:
                raise ssl.SSLError("nobody to trust")
            await tunnel.open(upstream, entry.name, self._order.tls, seconds=self._order.limits.opening)
        except (OSError, ssl.SSLError) as error:
            why = "certificate" if isinstance(error, ssl.SSLCertVerificationError) else "handshake"
            with contextlib.suppress(OSError):
                await loop.sock_sendall(inside, no_line(f"upstream: {why}"))
            raise Refused(f"upstream: {why}") from error
        try:
            await loop.sock_sendall(inside, OK)
        except BaseException as error:
            tunnel.abandon()
            if isinstance(error, OSError):
                raise ClientGone from None
            raise
        if self._usage.exceeded:  # meanwhile: who is not being carried yet was not stopped
            tunnel.stop("budget")
        await self._follow(entry, tunnel, tunnel.carry(inside, early))

    async def _follow(self, entry: Entry, tunnel: Carriage, carrying: Coroutine[None, None, None]) -> None:
        """See a tunnel to its end, within the limits that `sweep` holds."""
        task = asyncio.current_task()
        self._tunnels.add(tunnel)
        self._asking -= {task} if task else set()
        try:
            await carrying
        finally:
            self._tunnels.discard(tunnel)
            entry.bytes_up, entry.bytes_down, entry.ended = tunnel.bytes_up, tunnel.bytes_down, tunnel.ended
        if tunnel.refused:
            raise Refused(tunnel.refused)

    async def _hello(self, name: str, inside: socket.socket, data: bytes) -> bytes:
        """The client's first bytes, once they are a ClientHello for `name`. Raises `Refused`; the server has none."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._order.limits.opening):
                while (found := server_name(data)) is More.BYTES:
                    more = await loop.sock_recv(inside, 16384)
                    if not more:
                        raise Refused("tls: ended within the ClientHello") if data else ClientGone
                    data += more
        except TimeoutError:
            raise Refused("tls: no ClientHello in time") from None
        except HelloError as error:
            raise Refused(f"tls: {error}") from error
        if found.lower().removesuffix(".") != name:
            raise Refused("tls: another server name")
        return data
