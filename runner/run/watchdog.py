"""The watchdog: limits that no kernel holds (wall clock, silence, output, disk, files), and the end of an agent.

It runs on a thread of its own and must not fail: a look that cannot be taken is taken again, an engine that
does not answer is asked again, and if the watchdog itself ends before the agent does, the agent is killed.
"""

from __future__ import annotations

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
from runner.plan import OUT_OF_TIME
from runner.run.agent_log import AgentLog
from runner.run.cancellation import Cancellation
from runner.run.disk_watch import DiskWatch, Measure
from runner.sandbox.engine import Box, Exit, Usage
from runner.store.tree import TreeSize

TICK = 0.1
SAMPLE_EVERY = 0.3
KILL_AGAIN = 1.0
LEAVE_SECONDS = 150.0
"""What a sandbox has to hand over and go, before the agent's limits of time count for it again."""
KILL_SECONDS = 30.0
"""How long a killed container may take to end before it counts as lost."""
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

    def add_size(self, size: TreeSize) -> None:
        """Keep the higher of each number."""
        self.disk = max(self.disk, size.bytes)
        self.files = max(self.files, size.entries)


@dataclass(kw_only=True)
class Watched:
    """Everything that a supervision looks at."""

    box: Box
    limits: Limits
    log: AgentLog
    clock: Clock
    cancellation: Cancellation
    measure: Measure
    """Called from the watchdog thread."""
    folders: tuple[Path, ...]
    """One folder on each disk that the agent can write to, the workspace's first."""
    tell: Callable[[Event], None]
    network_fault: Callable[[], str] = str
    """Why the run has lost its network, in a sentence; empty while it has not."""
    over_budget: Callable[[], str] = str
    """Which budget is used up; empty while none is."""
    started: float | None = None
    """When the agent began, on the monotonic clock; `None`: now."""
    silent: float = 0.0
    """For how many seconds it has been silent already."""
    ended: Callable[[], float | None] = lambda: None
    """When the agent ended, on the monotonic clock, in a sandbox that stays a little to hand over its work."""
    pulse: Callable[[float], None] = lambda _: None
    """Called now and then with the seconds since the start."""


class Watchdog:
    """The watchdog's state, shared between its thread and the reader of the output."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.clock = watched.clock
        now = self.clock.monotonic()
        self.started = now if watched.started is None else watched.started
        self.last_heard = now - watched.silent
        self.over = threading.Event()
        self.reason: Outcome | None = None
        self.failure = ""
        """Why the agent was stopped for a failure of ours."""
        self.killed_at: float | None = None
        self.peaks = Peaks()
        self.disk = DiskWatch(watched.box, watched.limits, watched.clock, watched.measure, watched.folders)
        self._told: set[str] = set()

    def heard(self, age: float = 0.0) -> None:
        """The agent printed something, so many seconds ago."""
        at = self.clock.monotonic() - age
        self.peaks.silence = max(self.peaks.silence, at - self.last_heard)
        self.last_heard = max(self.last_heard, at)

    def run(self) -> None:
        """Look at every limit until the container is over; stop it when one is reached."""
        try:
            while self.reason is None and not self.over.wait(self.disk.pace):
                self.disk.tick()
                self.peaks.add_size(self.disk.peak)
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
            usage = self.watched.box.usage()
            if usage and self.watched.ended() is None:
                self.peaks.add_usage(usage)
            self.watched.pulse(self.clock.monotonic() - self.started)
            if self.over.wait(SAMPLE_EVERY):
                return

    def look_at_disk(self) -> None:
        """Measure once more, when the container is over."""
        self.disk.look()
        self.peaks.add_size(self.disk.peak)

    def breach_after_the_end(self, ended: Exit | None, seconds: float) -> Outcome | None:
        """A limit that the agent passed when nobody looked, and then ended; after so many seconds of work."""
        if self.watched.log.exceeded:
            return Outcome.OUTPUT_EXCEEDED
        if self.watched.over_budget():
            return Outcome.BUDGET_EXCEEDED
        if self.disk.over:
            return Outcome.DISK_EXCEEDED
        # The agent itself may end with that code, but not so late.
        by_itself = ended is not None and ended.code == OUT_OF_TIME and seconds >= self.watched.limits.wall_clock
        return Outcome.TIMED_OUT if by_itself else None

    @property
    def moment(self) -> float:
        """Until when the agent's time counts, on the monotonic clock: now, or its end for a while after it."""
        now, ended = self.clock.monotonic(), self.watched.ended()
        return now if ended is None or now > ended + LEAVE_SECONDS else ended

    def _breach(self) -> Outcome | None:
        limits, now = self.watched.limits, self.moment
        self.peaks.silence = max(self.peaks.silence, silence := now - self.last_heard)
        breaches = (
            (Outcome.CANCELLED, self.watched.cancellation.requested),
            (Outcome.OUTPUT_EXCEEDED, self.watched.log.exceeded),
            (Outcome.DISK_EXCEEDED, self.disk.over or self._disk_is_full()),
            (Outcome.BUDGET_EXCEEDED, bool(self.watched.over_budget())),
            (Outcome.TIMED_OUT, now - self.started >= limits.wall_clock),
            (Outcome.IDLE, silence >= limits.idle),
            (Outcome.ENGINE_FAILED, self._is_blind() or self._is_cut_off()),
        )
        return next((outcome for outcome, reached in breaches if reached), None)

    def _is_blind(self) -> bool:
        if not self.disk.blind:
            return False
        self.failure = "the workspace could not be measured any more, so its disk limit was not held"
        return True

    def _is_cut_off(self) -> bool:
        self.failure = self.failure or self.watched.network_fault()
        return bool(self.failure)

    def _disk_is_full(self) -> bool:
        if not self.disk.full:
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
        self.disk.go_on()  # what stands still does not die
        if signal not in self._told:
            self._told.add(signal)
            with suppress(PaddockError, OSError):
                self.watched.tell(Stopping(reason=reason, signal=signal))
