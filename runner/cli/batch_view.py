"""A batch at work: plain lines, and on a terminal a table of what runs that is drawn anew, with totals below."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.batch.conductor import Conductor
from runner.batch.fitting import Key
from runner.batch.live import Live
from runner.cli.batch_lines import line_of
from runner.cli.terminal import color_for, outcome_color, say
from runner.escape import escape_text
from runner.model.batch_events import BatchEvent
from runner.report.batch_words import clock, short_repo
from runner.store.batches import DONE, SKIPPED

if TYPE_CHECKING:  # rich takes a tenth of a second, which a batch in a pipeline need not wait for
    from rich.live import Live as Screen
    from rich.table import Table

SHOWN = frozenset({"began", "ended", "again", "skipped", "chosen", "notice"})
MOST_RECENT = 5
MOST_RUNNING = 40


class PlainView:
    """One line for each thing that happens, on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def tell(self, event: BatchEvent) -> None:
        """Something happened."""
        if event.kind in SHOWN and not self._quiet:
            say(line_of(event))

    def look(self, conductor: Conductor, lives: Mapping[Key, Live]) -> None:
        """Lines say it all."""


class TableView:
    """A table of what runs, the last ends above its totals; failures stay as lines above all of it."""

    def __init__(self, batch: str, screen: Screen) -> None:
        self._batch = batch
        self._screen = screen
        self._recent: deque[BatchEvent] = deque(maxlen=MOST_RECENT)
        self._began = time.monotonic()
        self._seconds: list[float] = []

    def tell(self, event: BatchEvent) -> None:
        """Something happened."""
        if event.kind == "ended":
            self._recent.append(event)
            self._seconds.append(event.seconds)
        if event.kind in {"again", "skipped", "notice"} or (event.kind == "ended" and event.text):
            self._screen.console.print(line_of(event), markup=False, highlight=False)

    def look(self, conductor: Conductor, lives: Mapping[Key, Live]) -> None:
        """Draw it anew."""
        self._screen.update(self._table(conductor, lives), refresh=True)

    def _table(self, conductor: Conductor, lives: Mapping[Key, Live]) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(title=self._batch, caption=self._totals(conductor, lives), expand=True, box=None)
        for name in ("TASK", "STATE", "REPOSITORY", "AGENT", "PHASE", "LAST ACTION", "TIME", "COST", "COMMITS"):
            table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=3 if name == "LAST ACTION" else None)
        for event in self._recent:
            task = next(each for each in conductor.tasks.values() if each.name == event.task)
            color = outcome_color(event.outcome)
            cells = (event.task, event.outcome, short(task.repo), task.agent, "", "", clock(event.seconds))
            table.add_row(*(Text(cell, style=color) for cell in (*cells, money(event.cost_usd), str(event.commits))))
        for live in list(lives.values())[:MOST_RUNNING]:
            took = clock(time.monotonic() - live.began)
            cells = (live.name, "running", short(live.repo), live.agent, live.phase, escape_text(live.action), took)
            table.add_row(*(Text(cell) for cell in (*cells, money(live.spent_usd), "")))
        return table

    def _totals(self, conductor: Conductor, lives: Mapping[Key, Live]) -> str:
        rows = conductor.attempts.values()
        over = [row for row in rows if row.state in {DONE, SKIPPED}]
        failed = sum(not row.ok for row in over)
        cost = conductor.spent_usd + sum(live.spent_usd for live in lives.values())
        parts = [
            f"{len(over)} of {len(rows)} done",
            f"{failed} failed",
            f"{conductor.running} running",
            clock(time.monotonic() - self._began),
            *([money(cost)] if cost else []),
            *([f"about {clock(left)} left"] if (left := self._left(conductor)) else []),
            *([conductor.draining] if conductor.draining else []),
        ]
        return " - ".join(parts)

    def _left(self, conductor: Conductor) -> float:
        """Seconds until the end, as far as the past tells."""
        if not self._seconds or conductor.draining:
            return 0.0
        mean = sum(self._seconds) / len(self._seconds)
        return mean * (conductor.left + conductor.running / 2) / max(1, conductor.running)


@contextmanager
def view_of(batch: str, *, quiet: bool) -> Iterator[PlainView | TableView]:
    """What suits where stderr goes."""
    if quiet or not color_for(sys.stderr.isatty()):
        if not quiet:
            say(f"{batch}: `paddock batch status {batch}` shows it, `paddock batch stop {batch}` ends it")
        yield PlainView(quiet=quiet)
        return
    from rich.console import Console
    from rich.live import Live as Screen

    with Screen(console=Console(stderr=True), auto_refresh=False, transient=True) as screen:
        yield TableView(batch, screen)


def short(repo: str) -> str:
    """The end of a repository's name."""
    return escape_text(short_repo(repo))


def money(usd: float) -> str:
    """In US dollars; empty for nothing."""
    return f"${usd:.2f}" if usd else ""
