"""The host's end of the only way out of a sandbox: one Unix socket per run, served in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import resource
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Literal

from runner.egress.audit import Audit, open_audit
from runner.egress.budget import UsageCounter
from runner.egress.carriage import UploadMeter
from runner.egress.listening import listening
from runner.egress.order import GatewayLimits, GatewayOrder
from runner.egress.switchboard import Switchboard
from runner.egress.watch import Watch
from runner.model.usage import Spent
from runner.plan import GATEWAY_SOCKET

__all__ = ["GATEWAY_SOCKET", "Gateway", "GatewayLimits", "GatewayOrder", "open_gateway"]

_DESCRIPTORS = 65_536
_SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ECONNABORTED, errno.EPROTO})
_CLOSING_TIME = 10.0
_AT_ONCE = 16
"""Connections that are let in before those that are in get their turn."""


class Gateway:
    """A gateway that is open; ask it from any thread."""

    def __init__(self, order: GatewayOrder, listener: socket.socket, audit: Audit) -> None:
        self._order = order
        self._listener = listener
        self._audit = audit
        self._meter = UploadMeter(order.upload_limit, order.before.uploaded)
        self._usage = UsageCounter(order.budget, order.before.spent)
        self._switchboard: Switchboard | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = Event()
        self._ended: Future[None] | None = None

    @property
    def failed(self) -> str:
        """Why it no longer works, in one sentence; empty while it does, and after it was closed in order."""
        if self._audit.broken:
            return f"the network's record cannot be written: {self._audit.broken}"
        if self._ended is None or not self._ended.done():
            return ""
        error = self._ended.exception()
        return f"the gateway ended: {type(error).__name__}: {error}" if error else ""

    @property
    def upload_exceeded(self) -> bool:
        """Whether the run has tried to send out more than its policy allows; nothing was let out from then on."""
        return self._meter.exceeded

    @property
    def uploaded(self) -> int:
        """Bytes that the run has sent out, names that were looked up included."""
        return self._meter.used

    @property
    def spent(self) -> tuple[Spent, ...]:
        """What was used of the models behind injected hosts, by model, as their own answers tell it."""
        return self._usage.rows

    @property
    def budget_exceeded(self) -> Literal["", "tokens", "cost_usd"]:
        """Which part of the budget is used up, if one is; no injected host is reached from then on."""
        return self._usage.exceeded

    @property
    def active(self) -> int:
        """How many connections the sandbox has open."""
        return self._switchboard.active if self._switchboard else 0

    @contextlib.contextmanager
    def _running(self) -> Iterator[None]:
        pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gateway")
        self._ended = pool.submit(self._run)
        self._ended.add_done_callback(lambda _: self._ready.set())
        try:
            self._ready.wait(_CLOSING_TIME)
            yield
        finally:
            if self._loop and self._stop and not self._ended.done():
                with contextlib.suppress(RuntimeError):  # it ended by itself just now
                    self._loop.call_soon_threadsafe(self._stop.set)
            pool.shutdown(wait=True)

    def _run(self) -> None:
        watch = Watch()
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(watch)) as runner:
            runner.run(self._serve(watch))

    async def _serve(self, watch: Watch) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        # What asyncio would print is on the record already: each connection's end is.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        self._switchboard = switchboard = Switchboard(self._order, self._audit, self._meter, self._usage, watch)
        stopping = asyncio.ensure_future(self._stop.wait())
        working = [asyncio.ensure_future(self._accept(switchboard)), asyncio.ensure_future(switchboard.sweep())]
        self._ready.set()
        try:
            await asyncio.wait([stopping, *working], return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Nobody is let in from here on, also when it is a fault that ends us.
            for task in (stopping, *working):
                task.cancel()
            outcomes = await asyncio.gather(*working, return_exceptions=True)
            self._listener.close()
            await switchboard.close()
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _accept(self, switchboard: Switchboard) -> None:
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._listener.fileno(), arrived.set)
        try:
            while True:
                arrived.clear()
                await arrived.wait()  # a turn for the others, also while somebody stands in line
                if not self._admit(switchboard):
                    await asyncio.sleep(0.1)
        finally:
            loop.remove_reader(self._listener.fileno())

    def _admit(self, switchboard: Switchboard) -> bool:
        """Let in who stands in line; False when this host is short of something for now."""
        for _ in range(_AT_ONCE):
            try:
                inside, _address = self._listener.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno not in _SHORTAGES:
                    raise
                return False
            inside.setblocking(False)
            try:
                switchboard.admit(inside)
            except BaseException:
                inside.close()
                raise
        return True


@contextlib.contextmanager
def open_gateway(order: GatewayOrder, listener: socket.socket | None = None) -> Iterator[Gateway]:
    """A gateway for one run, for as long as the scope lasts; its socket is `folder/gateway.sock`.

    `listener` is that socket, where somebody has made it already (see `runner.egress.listening`).

    Raises `EngineError` when the socket, `StoreError` when the audit cannot be made. Should its thread end first,
    every connection is closed and `failed` says why.
    """
    _allow_descriptors()
    made = contextlib.nullcontext(listener) if listener else listening(order.folder)
    with open_audit(order.audit, limit=order.limits.audit) as audit, made as ours:
        gateway = Gateway(order, ours, audit)
        with gateway._running():
            yield gateway


def _allow_descriptors() -> None:
    """A run may have 1,024 connections, with two descriptors each; the usual soft limit is 1,024 in all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
