"""`paddock attach`: a run under way as its own `paddock run` shows it, from the files that it writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from runner.cli.console import Console, View
from runner.cli.ending import is_under_way, latest_of_work, result_of_work
from runner.cli.looking import pieces_from
from runner.cli.playing import Lines, activity_of
from runner.cli.runs import find_run
from runner.cli.terminal import say
from runner.model.events import Event, Phase, PhaseEnded
from runner.run.chain import await_follower
from runner.store.ledger import RunRow
from runner.store.owner import owner_alive
from runner.store.runs import RunPaths

POLL_SECONDS = 0.1
DETACHED = 130
"""What a shell calls the end of a command by Ctrl-C."""
PIECE = 64 * 1024
PLAIN = frozenset({"command", "demo"})
"""Agents without an event stream: their output is shown as it is."""

EVENTS: TypeAdapter[Event] = TypeAdapter(Event)


def attach_command(run_id: str, *, tail: int | None, raw: bool) -> int:
    """Show a run until it is over, and how it ended; the run's exit code. Ctrl-C leaves it alone."""
    _, first = find_run(run_id)
    row, paths = latest_of_work(run_id)
    console = Console(stdout_is_taken=False)
    try:
        follow_work(row, paths, console, tail=tail, raw=raw)
    except KeyboardInterrupt:
        console.rest()
        say(f"{first.id} goes on; `paddock attach {first.id}` comes back to it, `paddock stop {first.id}` ends it")
        return DETACHED
    result = result_of_work(first)
    console.summary(result)
    return result.exit_code


def follow_work(row: RunRow, paths: RunPaths, console: Console, *, tail: int | None, raw: bool) -> None:
    """Show a run, and those that go on with it. Of one that is over, no more than its last `tail` lines."""
    if tail is None and not is_under_way(row):
        tail = 0
    while True:
        view: View = "raw" if raw or row.agent in PLAIN else "live"
        follow_run(row, Replay(paths, console, view, tail=tail))
        following = await_follower(paths, partial(owner_alive, row))
        if following is None:
            return
        row, paths = find_run(following.id)
        tail = None
        console.progress(f"the work goes on as {row.id}")


def follow_run(row: RunRow, replay: Replay) -> None:
    """Show one run until it is over. Raises `EngineError` when nobody carries it out any more."""
    while is_under_way(row):
        replay.look()
        time.sleep(POLL_SECONDS)
    replay.look()


class Replay:
    """What a run has written since the last look, shown in the order in which it came.

    With `tail`, nothing of what happened before is told, and only the last `tail` lines of the agent's output.
    """

    def __init__(self, paths: RunPaths, console: Console, view: View, *, tail: int | None) -> None:
        self._console = console
        output = paths.activity if view == "live" else paths.agent_log
        self._events = Growing(paths.events, Lines(self._event).feed)
        self._work = Growing(output, Lines(self._activity).feed if view == "live" else self._output)
        self._check = Growing(paths.check_log, self._output)
        console.view = view
        if tail is not None:
            console.view = "quiet"
            self._work.skip(tail)
            self._check.skip(0)
            self._events.look()
            console.view = view

    def look(self) -> None:
        """Show what there is."""
        self._events.look()
        self._work.look()
        self._check.look()

    def _event(self, line: bytes) -> None:
        try:
            event = EVENTS.validate_json(line)
        except ValidationError:
            return
        if isinstance(event, PhaseEnded) and self._console.view != "quiet":
            if event.phase is Phase.AGENT:  # what the agent did comes before its end
                self._work.look()
            elif event.phase is Phase.CHECK:
                self._check.look()
        self._console.event(event)

    def _activity(self, line: bytes) -> None:
        activity = activity_of(line)
        if activity is not None:
            self._console.activity(activity)

    def _output(self, data: bytes) -> None:
        self._console.output(1, data)


class Growing:
    """A file that is added to, read on from where the last look ended."""

    def __init__(self, path: Path, take: Callable[[bytes], None]) -> None:
        self._path = path
        self._take = take
        self._position = 0

    def look(self) -> None:
        """Hand on what there is."""
        for data in pieces_from(self._path, self._position):
            self._position += len(data)
            self._take(data)

    def skip(self, lines: int) -> None:
        """Leave out all but the last `lines` lines."""
        self._position = tail_position(self._path, lines)


def tail_position(path: Path, lines: int) -> int:
    """Where the last `lines` lines of a file begin; a last line without an end is one. 0 where there is no file."""
    try:
        with path.open("rb") as file:
            end = position = file.seek(0, 2)
            missing = lines
            while position > 0:
                start = max(0, position - PIECE)
                file.seek(start)
                data = file.read(position - start)
                cut = len(data) - (position == end and data.endswith(b"\n"))
                while missing > 0 and (cut := data.rfind(b"\n", 0, cut)) >= 0:
                    missing -= 1
                if missing <= 0:
                    return start + cut + 1 if lines else end
                position = start
            return 0
    except FileNotFoundError:
        return 0
