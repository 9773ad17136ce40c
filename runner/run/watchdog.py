"""The watchdog: limits that no kernel holds (wall clock, silence, output, disk, files), and the end of an agent.

It runs on a thread of its own and must not fail: a look that cannot be taken is taken again, an engine that
does not answer is asked again, and if the watchdog itself ends before the agent does, the agent is killed.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.clock import Clock
from runner.errors import PaddockError
from runner.model.events import Event, Stopping
from runner.model.policy import Limits
from runner.model.result import Outcome
from runner.run.agent_log import AgentLog
from runner.run.cancellation import Cancellation
from runner.sandbox.engine import Box, Usage
from runner.store.tree import TreeSize

TICK = 0.1
SAMPLE_EVERY = 0.3
MEASURE_EVERY = 1.0
MEASURE_SHARE = 4
"""A walk through the workspace that took t seconds is not repeated before `MEASURE_SHARE` x t have passed."""
MOST_FAILED_LOOKS = 15
"""So many walks in a row may fail; then the disk limit is not held any more, and the agent is stopped."""
KILL_AGAIN = 1.0
KILL_SECONDS = 30.0
"""How long a killed container may take to end before it counts as lost."""
LEAST_FREE = 128 * 1024 * 1024
"""Free bytes on the host's disk below which an agent is stopped, whoever filled it."""
PATIENT = frozenset({Outcome.CANCELLED, Outcome.TIMED_OUT, Outcome.IDLE, Outcome.BUDGET_EXCEEDED})
"""What is ended politely first. A flood of output or of data gets no grace: it would go on."""


@dataclass
class Peaks:
    """The highest use that was seen of each limit."""

    memory: int | None = None
    pids: int | None = None
    cpu_seconds: float | None = None
    bytes_written: int | None = None
    disk: int = 0
    files: int = 0
    silence: float = 0.0

    def add_usage(self, usage: Usage) -> None:
        """Keep the higher of each number."""
        for name in ("memory", "pids", "cpu_seconds", "bytes_written"):
            seen, now = getattr(self, name), getattr(usage, name)
            if now is not None:
                setattr(self, name, now if seen is None else max(seen, now))

    def add_size(self, size: TreeSize, written: int) -> None:
        """Keep the higher of each number."""
        self.disk = max(self.disk, size.bytes + written)
        self.files = max(self.files, size.entries)


@dataclass(kw_only=True)
class Watched:
    """Everything that a supervision looks at."""

    box: Box
    limits: Limits
    log: AgentLog
    clock: Clock
    cancellation: Cancellation
    measure: Callable[[], TreeSize]
    """Size of the workspace; called from the watchdog thread."""
    disk: Path
    """A folder on the disk that the workspace is on."""
    writable_root: bool
    tell: Callable[[Event], None]
    network_fault: Callable[[], str] = str
    """Why the run has lost its network, in a sentence; empty while it has not."""
    over_budget: Callable[[], str] = str
    """Which budget is used up; empty while none is."""
    pulse: Callable[[float], None] = lambda _: None
    """Called now and then with the seconds since the start."""


class Watchdog:
    """The watchdog's state, shared between its thread and the reader of the output."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.clock = watched.clock
        self.started = self.last_heard = self.clock.monotonic()
        self.over = threading.Event()
        self.reason: Outcome | None = None
        self.failure = ""
        """Why the agent was stopped for a failure of ours."""
        self.killed_at: float | None = None
        self.peaks = Peaks()
        self._next_measure = self.started
        self._failed_looks = 0
        self._told: set[str] = set()

    def heard(self) -> None:
        """The agent printed something."""
        now = self.clock.monotonic()
        self.peaks.silence = max(self.peaks.silence, now - self.last_heard)
        self.last_heard = now

    def run(self) -> None:
        """Look at every limit until the container is over; stop it when one is reached."""
        try:
            while self.reason is None and not self.over.wait(TICK):
                self._measure_when_due()
                self.reason = self._breach()
            if self.reason is not None:
                self._ask_to_end(self.reason)
        finally:
            if not self.over.is_set():
                if self.reason is None:
                    self.reason, self.failure = Outcome.ENGINE_FAILED, "the watchdog failed"
                self._kill_until_over()

    def sample(self) -> None:
        """Ask the engine again and again what the container uses; on a thread that nobody waits for.

        The engine may take its time over the answer, above all for a container that is just ending.
        """
        while True:
            if usage := self.watched.box.usage():
                self.peaks.add_usage(usage)
            self.watched.pulse(self.clock.monotonic() - self.started)
            if self.over.wait(SAMPLE_EVERY):
                return

    def look_at_disk(self) -> bool:
        """Measure the workspace, and the writable layer where there is one; whether it could be done."""
        try:
            written = self.watched.box.written() if self.watched.writable_root else 0
            self.peaks.add_size(self.watched.measure(), written)
        except (PaddockError, OSError):
            return False
        return True

    def breach_after_the_end(self) -> Outcome | None:
        """A limit that the agent passed after the last look, and then ended."""
        if self.watched.log.exceeded:
            return Outcome.OUTPUT_EXCEEDED
        if self.watched.over_budget():
            return Outcome.BUDGET_EXCEEDED
        return Outcome.DISK_EXCEEDED if self._too_big() else None

    def _measure_when_due(self) -> None:
        before = self.clock.monotonic()
        if before < self._next_measure:
            return
        self._failed_looks = 0 if self.look_at_disk() else self._failed_looks + 1
        cost = self.clock.monotonic() - before
        pause = TICK if self._failed_looks else max(MEASURE_EVERY, MEASURE_SHARE * cost)
        self._next_measure = before + cost + pause

    def _breach(self) -> Outcome | None:
        now, limits = self.clock.monotonic(), self.watched.limits
        self.peaks.silence = max(self.peaks.silence, silence := now - self.last_heard)
        breaches = (
            (Outcome.CANCELLED, self.watched.cancellation.requested),
            (Outcome.OUTPUT_EXCEEDED, self.watched.log.exceeded),
            (Outcome.DISK_EXCEEDED, self._too_big() or self._disk_is_full()),
            (Outcome.BUDGET_EXCEEDED, bool(self.watched.over_budget())),
            (Outcome.TIMED_OUT, now - self.started >= limits.wall_clock),
            (Outcome.IDLE, silence >= limits.idle),
            (Outcome.ENGINE_FAILED, self._is_blind() or self._is_cut_off()),
        )
        return next((outcome for outcome, reached in breaches if reached), None)

    def _is_blind(self) -> bool:
        if self._failed_looks <= MOST_FAILED_LOOKS:
            return False
        self.failure = "the workspace could not be measured any more, so its disk limit was not held"
        return True

    def _is_cut_off(self) -> bool:
        self.failure = self.failure or self.watched.network_fault()
        return bool(self.failure)

    def _too_big(self) -> bool:
        limits = self.watched.limits
        return self.peaks.disk > limits.disk or self.peaks.files > limits.files

    def _disk_is_full(self) -> bool:
        if shutil.disk_usage(self.watched.disk).free >= LEAST_FREE:
            return False
        self.failure = "the host's disk is nearly full"
        return True

    def _ask_to_end(self, reason: Outcome) -> None:
        """SIGTERM, and the grace of the policy, for an agent that was merely slow."""
        if reason not in PATIENT:
            return
        self._send("SIGTERM", reason)
        end = self.clock.monotonic() + self.watched.limits.grace
        while self.clock.monotonic() < end and not self.watched.cancellation.urgent:
            if self.over.wait(TICK):
                return

    def _kill_until_over(self) -> None:
        """SIGKILL again and again: one that the engine lost must not be the last."""
        self.killed_at = self.clock.monotonic()
        while True:
            self._send("SIGKILL", self.reason or Outcome.ENGINE_FAILED)
            if self.over.wait(KILL_AGAIN):
                return
            if self.clock.monotonic() - self.killed_at > KILL_SECONDS:
                self.watched.box.hang_up()  # the reader has waited for this engine long enough

    def _send(self, signal: str, reason: Outcome) -> None:
        """An engine that does not answer here is asked again, or reported by the wait for the end."""
        with suppress(PaddockError):
            self.watched.box.signal(signal)
        if signal not in self._told:
            self._told.add(signal)
            with suppress(PaddockError, OSError):
                self.watched.tell(Stopping(reason=reason, signal=signal))
