"""How long a run waits for an engine that has gone away, as one does that restarts."""

from __future__ import annotations

import time

from runner.clock import Clock
from runner.errors import EngineUnavailableError
from runner.run.cancellation import Cancellation
from runner.sandbox.engine import Engine

ENGINE_SECONDS = 60.0
"""How long an engine may be away, to restart, before its container counts as lost; after the agent's end, in all."""
ASK_EVERY = 0.25


class Patience:
    """What is left of it."""

    def __init__(self, engine: Engine, clock: Clock, cancellation: Cancellation) -> None:
        self._engine = engine
        self._clock = clock
        self._cancellation = cancellation
        self._left = ENGINE_SECONDS

    def await_engine(self, run: str) -> bool:
        """Wait until the engine answers again; whether it did, before the patience was at its end.

        Raises `EngineError` when it answers that it cannot.
        """
        begun = self._clock.monotonic()
        while not self._cancellation.urgent:
            try:
                self._engine.find(run=run)
            except EngineUnavailableError:
                if self._clock.monotonic() - begun > self._left:
                    break
                time.sleep(ASK_EVERY)
            else:
                self._left -= self._clock.monotonic() - begun
                return True
        self._left = 0.0
        return False
