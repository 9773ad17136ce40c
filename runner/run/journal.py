"""What is written down while a run goes on: events, phases with their times, the ledger's row."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from runner.clock import Clock, timestamp
from runner.errors import PaddockError, StoreError
from runner.escape import escape_text
from runner.model.events import Ended, Event, Notice, Phase, PhaseEnded, PhaseStarted
from runner.model.result import RunResult
from runner.store.ledger import Ledger, RunRow
from runner.store.runs import EventLog, RunPaths


def _nobody(_event: Event) -> None:
    """Nobody listens any more."""


class Journal:
    """One run's record in the making. Events go to the file and to whoever listens."""

    def __init__(
        self, paths: RunPaths, ledger: Ledger, *, clock: Clock, tell: Callable[[Event], None], started_at: str = ""
    ) -> None:
        self.paths = paths
        self.timings: dict[str, float] = {}
        self.notices: list[str] = []
        self.failure = ""
        """Why the record is not whole, if it is not."""
        self.started_at = started_at or timestamp(clock.now())
        self._ledger = ledger
        self._clock = clock
        self._tell = tell
        self._events = EventLog(paths.events)

    def open(self, row: RunRow) -> None:
        """Enter the run into the ledger: from here on it can be found, stopped and recovered."""
        self._ledger.add(row)

    def event(self, event: Event) -> None:
        """Something happened. Never fails: neither a full disk nor a listener that has gone may stop a run half-way."""
        try:
            self._events.write(event)
        except StoreError as error:
            self.failure = self.failure or error.message
        try:
            self._tell(event)
        except (OSError, ValueError):
            self._tell = _nobody

    def notice(self, text: str) -> None:
        """Something that a reader of the result should know."""
        self.notices.append(text)
        self.event(Notice(text=text))

    @contextlib.contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Time one phase, whatever way it ends."""
        begin = self._clock.monotonic()
        self.event(PhaseStarted(phase=phase))
        with remembered([]):
            self._ledger.set_phase(self.paths.id, phase.value)
        failed = True
        try:
            yield
            failed = False
        finally:
            seconds = round(self._clock.monotonic() - begin, 4)
            self.timings[phase.value] = seconds
            self.event(PhaseEnded(phase=phase, seconds=seconds, failed=failed))

    def close(self, result: RunResult) -> None:
        """Enter the end into the ledger, after the result document is on the disk."""
        self.event(Ended(outcome=result.outcome))
        self._ledger.end(
            self.paths.id,
            outcome=result.outcome.value,
            exit_code=result.exit_code,
            ended_at=result.ended_at,
            branch=result.branch,
            commits=len(result.commits),
        )


@contextlib.contextmanager
def remembered(errors: list[PaddockError]) -> Iterator[None]:
    """Turn our own failure into a fact of the run; what follows the scope is still done."""
    try:
        yield
    except PaddockError as error:
        errors.append(error)
    except OSError as error:
        errors.append(StoreError(f"{escape_text(str(error.filename or 'a file'))}: {error.strerror or error}"))
