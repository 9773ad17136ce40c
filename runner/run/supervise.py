"""The agent at work: its output taken, its limits watched, its end made sure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from runner.errors import ContainerGoneError, EngineError
from runner.model.result import Outcome
from runner.run.watchdog import KILL_SECONDS, TICK, Peaks, Watchdog, Watched
from runner.sandbox.engine import Exit, Output

ENGINE_SECONDS = 60.0
"""How long an engine may be away, to restart, before its container counts as lost."""


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
    """Follow a started agent to its end. The container is dead when this returns, or `exit` is `None`."""
    watchdog = Watchdog(watched)
    thread = threading.Thread(target=watchdog.run, name="watchdog", daemon=True)
    thread.start()
    threading.Thread(target=watchdog.sample, name="sampler", daemon=True).start()
    try:
        for piece in output:
            watchdog.heard()
            watched.log.write(piece.stream, piece.data)
    finally:
        ended = wait_for_end(watchdog)
        watchdog.over.set()
        thread.join()
    watchdog.look_at_disk()
    return Supervised(
        exit=ended,
        stopped=watchdog.reason or watchdog.breach_after_the_end(),
        seconds=watchdog.clock.monotonic() - watchdog.started,
        output=watched.log.received,
        failure=watchdog.failure,
        peaks=watchdog.peaks,
    )


def wait_for_end(watchdog: Watchdog) -> Exit | None:
    """The output has ended: so has the container, or the engine has lost it. `None` when the engine never tells."""
    lost_at: float | None = None
    while True:
        now = watchdog.clock.monotonic()
        try:
            if ended := watchdog.watched.box.wait(TICK):
                return ended
            lost_at = None
        except ContainerGoneError:
            return None
        except EngineError:
            # An engine that restarts takes its containers down, and then knows how each of them ended.
            lost_at = lost_at or now
            watchdog.over.wait(TICK)
        if _past(watchdog, lost_at, ENGINE_SECONDS) or _past(watchdog, watchdog.killed_at, KILL_SECONDS + 1):
            return None


def _past(watchdog: Watchdog, since: float | None, seconds: float) -> bool:
    return since is not None and watchdog.clock.monotonic() - since > seconds
