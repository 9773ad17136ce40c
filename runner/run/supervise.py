"""The agent at work: its output taken, its limits watched, its end made sure.

One thread reads the output; a watchdog thread compares clocks and counters with the limits that no
kernel holds (wall clock, silence, output, disk, files) and stops the container: SIGTERM, the grace
of the policy, SIGKILL. Deadlines are on the monotonic clock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from runner.clock import Clock
from runner.errors import ContainerGoneError, EngineError
from runner.model.events import Event, Stopping
from runner.model.policy import Limits
from runner.model.result import Outcome
from runner.run.agent_log import AgentLog
from runner.run.cancellation import Cancellation
from runner.sandbox.engine import Box, Exit, Output, Usage
from runner.store.tree import TreeSize

TICK = 0.1
SAMPLE_EVERY = 0.3
MEASURE_EVERY = 1.0
MEASURE_SHARE = 4
"""A walk through the workspace that took t seconds is not repeated before `MEASURE_SHARE` x t have passed."""
KILL_SECONDS = 30.0
"""How long a killed container may take to end before it counts as lost."""
ENGINE_SECONDS = 60.0
"""How long an engine may be away, to restart, before its container counts as lost."""


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
    writable_root: bool
    tell: Callable[[Event], None]


@dataclass
class Supervised:
    """How it went."""

    exit: Exit | None
    """`None` when the engine never said that the container had ended."""
    stopped: Outcome | None
    """Why Paddock stopped the agent; `None` when it ended by itself."""
    seconds: float
    output: int
    """Bytes that the agent printed, kept or not."""
    peaks: Peaks = field(default_factory=Peaks)


def supervise(watched: Watched, output: Iterator[Output]) -> Supervised:
    """Follow a started agent to its end. The container is dead when this returns, or `exit` is `None`."""
    watch = _Watch(watched)
    thread = threading.Thread(target=watch.run, name="watchdog", daemon=True)
    thread.start()
    try:
        for piece in output:
            watch.heard()
            watched.log.write(piece.stream, piece.data)
    finally:
        ended = watch.end()
        watch.over.set()
        thread.join()
    watch.measure_tree()
    return Supervised(
        exit=ended,
        stopped=watch.reason or watch.breach_after_the_end(),
        seconds=watch.clock.monotonic() - watch.started,
        output=watched.log.received,
        peaks=watch.peaks,
    )


class _Watch:
    """The watchdog's state, shared between its thread and the reader."""

    def __init__(self, watched: Watched) -> None:
        self.watched = watched
        self.clock = watched.clock
        self.started = self.last_heard = self.clock.monotonic()
        self.over = threading.Event()
        self.reason: Outcome | None = None
        self.killed_at: float | None = None
        self.peaks = Peaks()
        self._next_sample = self._next_measure = self.started

    def heard(self) -> None:
        """The agent printed something."""
        now = self.clock.monotonic()
        self.peaks.silence = max(self.peaks.silence, now - self.last_heard)
        self.last_heard = now

    def run(self) -> None:
        """Look at every limit until the container is over or has to be stopped."""
        self._sample_when_due()  # so that the shortest run has been looked at once
        while not self.over.wait(TICK):
            self._sample_when_due()
            self._measure_when_due()
            self.reason = self._breach()
            if self.reason is not None:
                self._stop(self.reason)
                return

    def end(self) -> Exit | None:
        """The output has ended: so has the container, or the engine has lost it. `None` when the engine never tells."""
        lost_at: float | None = None
        while True:
            now = self.clock.monotonic()
            try:
                if ended := self.watched.box.wait(TICK):
                    return ended
                lost_at = None
            except ContainerGoneError:
                return None
            except EngineError:
                # An engine that restarts takes its containers down, and then knows how each of them ended.
                lost_at = lost_at or now
                self.over.wait(TICK)
            if self._past(lost_at, ENGINE_SECONDS) or self._past(self.killed_at, KILL_SECONDS):
                return None

    def _past(self, since: float | None, seconds: float) -> bool:
        return since is not None and self.clock.monotonic() - since > seconds

    def measure_tree(self) -> None:
        """Measure the workspace, and the writable layer where there is one."""
        written = self.watched.box.written() if self.watched.writable_root else 0
        self.peaks.add_size(self.watched.measure(), written)

    def breach_after_the_end(self) -> Outcome | None:
        """A limit that the agent passed after the last look, and then ended."""
        if self.watched.log.exceeded:
            return Outcome.OUTPUT_EXCEEDED
        return Outcome.DISK_EXCEEDED if self._too_big() else None

    def _sample_when_due(self) -> None:
        if self.clock.monotonic() < self._next_sample:
            return
        if usage := self.watched.box.usage():
            self.peaks.add_usage(usage)
        self._next_sample = self.clock.monotonic() + SAMPLE_EVERY

    def _measure_when_due(self) -> None:
        before = self.clock.monotonic()
        if before < self._next_measure:
            return
        self.measure_tree()
        cost = self.clock.monotonic() - before
        self._next_measure = before + cost + max(MEASURE_EVERY, MEASURE_SHARE * cost)

    def _breach(self) -> Outcome | None:
        now, limits = self.clock.monotonic(), self.watched.limits
        if self.watched.cancellation.requested:
            return Outcome.CANCELLED
        if self.watched.log.exceeded:
            return Outcome.OUTPUT_EXCEEDED
        if self._too_big():
            return Outcome.DISK_EXCEEDED
        if now - self.started >= limits.wall_clock:
            return Outcome.TIMED_OUT
        if now - self.last_heard >= limits.idle:
            self.peaks.silence = now - self.last_heard
            return Outcome.IDLE
        return None

    def _too_big(self) -> bool:
        limits = self.watched.limits
        return self.peaks.disk > limits.disk or self.peaks.files > limits.files

    def _stop(self, reason: Outcome) -> None:
        """Polite, then firm. A flood of output or of data gets no grace: it would go on."""
        box, patient = self.watched.box, reason in {Outcome.CANCELLED, Outcome.TIMED_OUT, Outcome.IDLE}
        if patient:
            self.watched.tell(Stopping(reason=reason, signal="SIGTERM"))
            self._send("SIGTERM")
            end = self.clock.monotonic() + self.watched.limits.grace
            while self.clock.monotonic() < end and not self.watched.cancellation.urgent:
                if box.wait(TICK) is not None:
                    return
        self.watched.tell(Stopping(reason=reason, signal="SIGKILL"))
        self._send("SIGKILL")
        self.killed_at = self.clock.monotonic()

    def _send(self, signal: str) -> None:
        """An engine that does not answer here is met again, and reported, by the wait for the end."""
        try:
            self.watched.box.signal(signal)
        except EngineError:
            return
