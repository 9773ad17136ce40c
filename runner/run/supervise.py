"""The agent at work: its output taken, its limits watched, its end made sure."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from runner.errors import ContainerGoneError, EngineError
from runner.model.result import Outcome
from runner.run import patience
from runner.run.watchdog import KILL_SECONDS, TICK, Peaks, Watchdog, Watched
from runner.sandbox.engine import Exit, Output

SILENT_END = 1.0
"""Seconds after which a container that still runs was not at its end when its output ended: the engine had gone."""
AWAY = "the engine went away while the agent was at work, which ended with it"
FROM_OUTSIDE = "the agent was ended from outside, as by an engine that shuts down"
UNWATCHED = "the agent was ended from outside while nobody watched, as by a machine that goes down"
TAKEN_DOWN = frozenset({137, 143, 255})
"""SIGKILL, SIGTERM, and what an engine says that comes back to a container which has gone."""


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
    failure: str = ""
    """What of ours failed meanwhile, if anything did."""
    peaks: Peaks = field(default_factory=Peaks)


def supervise(watched: Watched, output: Iterator[Output]) -> Supervised:
    """Follow a started agent to its end. The container is dead when this returns, or `exit` is `None`.

    Where the engine goes away and the agent works on, it is heard again when the engine is back, nothing twice.
    """
    watchdog = Watchdog(watched)
    thread = threading.Thread(target=watchdog.run, name="watchdog", daemon=True)
    thread.start()
    threading.Thread(target=watchdog.sample, name="sampler", daemon=True).start()
    vigil, heard = Vigil(watchdog), Counter[int]()
    try:
        listen(watchdog, output, heard)
        vigil.keep(while_it_runs=False)
        while vigil.may_have_missed and watchdog.killed_at is None:
            with suppress(EngineError):
                listen(watchdog, unheard(watched.box.replay(), heard.copy()), heard)
            if vigil.over:
                break
            vigil.keep(while_it_runs=False)
    finally:
        vigil.keep()
        watchdog.over.set()
        thread.join()
    if watchdog.reason is None and watched.ended() is None:
        watchdog.failure = watchdog.failure or vigil.interference
    return _told(watchdog, vigil.exit, watchdog.moment - watchdog.started)


def listen(watchdog: Watchdog, output: Iterator[Output], heard: Counter[int]) -> None:
    """Take what the agent prints; how many bytes of each stream came is added to `heard`."""
    for piece in output:
        watchdog.heard(piece.age)
        heard[piece.stream] += len(piece.data)
        watchdog.watched.log.write(piece.stream, piece.data)


def unheard(output: Iterator[Output], heard: Counter[int]) -> Iterator[Output]:
    """The same output without the first bytes of each stream, as many as `heard` says."""
    for piece in output:
        known = min(heard[piece.stream], len(piece.data))
        heard[piece.stream] -= known
        if known < len(piece.data):
            yield piece._replace(data=piece.data[known:])


def hear_out(watched: Watched, output: Iterator[Output], seconds: float) -> Supervised:
    """What an agent left to be heard that ended while nobody watched, after so many seconds of work."""
    watchdog = Watchdog(watched)
    for piece in output:
        watched.log.write(piece.stream, piece.data)
    ended = wait_for_end(watchdog)
    told = _told(watchdog, ended, seconds)
    if told.stopped is None and ended is not None and not ended.out_of_memory and ended.code in TAKEN_DOWN:
        told.failure = told.failure or f"{UNWATCHED} (exit code {ended.code})"
    return told


def _told(watchdog: Watchdog, ended: Exit | None, seconds: float) -> Supervised:
    watchdog.look_at_disk()
    return Supervised(
        exit=ended,
        stopped=watchdog.reason or watchdog.breach_after_the_end(ended, seconds),
        seconds=seconds,
        output=watchdog.watched.log.received,
        failure=watchdog.failure,
        peaks=watchdog.peaks,
    )


class Vigil:
    """Waits for the end of a container whose output has ended: it has ended too, or the engine has lost it."""

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self.over = False
        self.exit: Exit | None = None
        """How it ended; `None` also when the engine never told."""
        self.away = False
        """Whether the engine was away when it ended."""

    @property
    def may_have_missed(self) -> bool:
        """Whether there may be output that did not come: it still runs, or ended when the engine was away."""
        return not self.over or (self.away and self.exit is not None)

    @property
    def interference(self) -> str:
        """Who else than the agent, and Paddock, brought it to its end; empty where nobody did."""
        if self.exit is None or self.exit.code == 0 or not (self.away or self.exit.signalled):
            return ""
        return f"{AWAY if self.away else FROM_OUTSIDE} (exit code {self.exit.code})"

    def keep(self, *, while_it_runs: bool = True) -> None:
        """Wait until it is over; else, without `while_it_runs`, until it still runs though its output ended."""
        watchdog, lost_at = self._watchdog, None
        sound_since = watchdog.clock.monotonic()
        while not self.over:
            now = watchdog.clock.monotonic()
            try:
                self.exit = watchdog.watched.box.wait(TICK)
                self.over, self.away = self.exit is not None, lost_at is not None
                if now - sound_since > SILENT_END:  # not before: an engine that has just come back is slow to answer
                    lost_at = None
                    if not while_it_runs:
                        return
            except ContainerGoneError:
                self.over = True
            except EngineError:
                # An engine that restarts takes its containers down, and then knows how each of them ended.
                lost_at, sound_since = lost_at or now, now
                self.over = now - lost_at > patience.ENGINE_SECONDS
                watchdog.over.wait(TICK)
            self.over = self.over or _past(watchdog, watchdog.killed_at, KILL_SECONDS + 1)


def wait_for_end(watchdog: Watchdog) -> Exit | None:
    """How the container ended; `None` when the engine never tells."""
    vigil = Vigil(watchdog)
    vigil.keep()
    return vigil.exit


def _past(watchdog: Watchdog, since: float | None, seconds: float) -> bool:
    return since is not None and watchdog.clock.monotonic() - since > seconds
