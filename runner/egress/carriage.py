"""What is known of one connection that is carried, whatever carries it: how much, since when, why it ended."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable

from runner.egress.http_guard import HttpGuard
from runner.egress.http_head import HeadError


class UploadMeter:
    """What one run has sent out, over all of its connections."""

    def __init__(self, limit: int, used: int = 0) -> None:
        self._limit = limit
        self.used = used
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


class Carriage(ABC):
    """One connection that was allowed, from its first byte to its last."""

    def __init__(self, meter: UploadMeter, guard: HttpGuard | None) -> None:
        self._meter = meter
        self._guard = guard
        self._loop = asyncio.get_running_loop()
        self.bytes_up = 0
        self.bytes_down = 0
        self.ended = ""
        """Why it ended, once it has."""
        self.refused = ""
        """Which rule its bytes broke, if they did."""
        self.started = self.touched = self._loop.time()
        self._head_since: float | None = None

    @abstractmethod
    def stop(self, why: str, *, flush: bool = False) -> None:
        """End it; with `flush`, what is already on its way is still delivered where that can be done."""

    def overdue(self, *, idle: float, total: float, head: float) -> str:
        """Which limit, in seconds, it has passed; empty when none."""
        now = self._loop.time()
        if now - self.started > total:
            return "total-time"
        if now - self.touched > idle:
            return "idle"
        return "slow-head" if self._head_since is not None and now - self._head_since > head else ""

    def let_out(self, piece: bytes | memoryview) -> bytes | memoryview:
        """What of the program's bytes goes to the server now; nothing where more are needed, or it has been stopped."""
        self.touched = self._loop.time()
        data = piece
        try:
            data = self._guard.outgoing(bytes(piece)) if self._guard else piece
        except HeadError as error:
            self.refuse(error)
            return b""
        if self._guard and self._guard.within_head:
            if data or self._head_since is None:
                self._head_since = self.touched
        else:
            self._head_since = None
        if data and not self._meter.take(len(data)):
            self.stop("upload-limit")
            return b""
        self.bytes_up += len(data)
        return data

    def refuse(self, error: HeadError) -> None:
        """End it for what its bytes were."""
        self.refused = f"http: {error}"
        self.stop("refused")
