"""The ledger of all runs: one SQLite table, plain enough for Datasette, quick enough for `paddock ps`.

It says what exists and what is running; the truth about a finished run is its result.json. Nothing heavy is
imported here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from runner.errors import RefusedError, RunNotFoundError, StoreError
from runner.escape import escape_text
from runner.store.database import Database

LEDGER_NAME = "ledger.db"
"""The ledger's file in the state directory."""

RUNNING = "running"
ENDED = "ended"

_CANDIDATES_SHOWN = 10


class RunRow(NamedTuple):
    """One run, as a list shows it. Times are ISO 8601 in UTC; the owner is the process that carries the run out."""

    id: str
    repo: str
    agent: str
    policy: str
    created_at: str
    owner_pid: int
    owner_started: int
    """When the owner began, in clock ticks since the machine did: a later process with its number differs."""
    name: str = ""
    """What the user called it."""
    state: str = RUNNING
    phase: str = ""
    outcome: str = ""
    exit_code: int | None = None
    branch: str = ""
    ended_at: str = ""
    commits: int = 0
    batch: str = ""
    """The task of a batch that it is: batch, task, attempt and try, as in `2026-11-20-fix-k3f9/4/1/2`."""


_COLUMNS = RunRow._fields
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM runs"  # noqa: S608 - our own column names
_INSERT = f"INSERT INTO runs ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608


class Ledger(Database):
    """The table of runs in the file at `path`, open from `with` on; several processes may have it open at once."""

    def add(self, row: RunRow) -> None:
        """Enters a new run; raises StoreError, also if there is one with that id.

        Raises RefusedError if a run under way has its name, whoever was quicker: SQLite decides.
        """
        try:
            self._change(_INSERT, row)
        except StoreError as error:
            if isinstance(error.__cause__, sqlite3.IntegrityError) and "runs.name" in str(error.__cause__):
                self.refuse_name_in_use(row.name)
                # That run has ended since: a retry would enter this one.
                raise RefusedError(f"The name {row.name!r} was in use a moment ago.", hint="Try again.") from error
            raise

    def set_phase(self, run_id: str, phase: str) -> None:
        """Notes what a run is doing."""
        self._change("UPDATE runs SET phase = ? WHERE id = ?", (phase, run_id))

    def end(  # noqa: PLR0913 - one for each column that the end of a run fills in
        self, run_id: str, *, outcome: str, exit_code: int, ended_at: str, branch: str = "", commits: int = 0
    ) -> None:
        """Notes how a run ended."""
        self._change(
            "UPDATE runs SET state = 'ended', outcome = ?, exit_code = ?, ended_at = ?, branch = ?, commits = ?"
            " WHERE id = ?",
            (outcome, exit_code, ended_at, branch, commits, run_id),
        )

    def take_over(self, run_id: str, before: RunRow, pid: int, started: int) -> bool:
        """Makes a process the owner of a run that is under way again; False when it is not as in `before` any more.

        Of several processes that try at once, one succeeds. A run that is over gives its name up where another has it.
        """
        changed = self._change(
            "UPDATE runs SET owner_pid = ?, owner_started = ?, state = 'running', name = CASE WHEN EXISTS"
            " (SELECT 1 FROM runs AS other WHERE other.name = runs.name AND other.state = 'running'"
            " AND other.id != runs.id) THEN '' ELSE name END"
            " WHERE id = ? AND state = ? AND owner_pid = ? AND owner_started = ?",
            (pid, started, run_id, before.state, before.owner_pid, before.owner_started),
        )
        return changed == 1

    def remove(self, run_id: str) -> None:
        """Forgets a run; its directory is somebody else's business."""
        self._change("DELETE FROM runs WHERE id = ?", (run_id,))

    def get(self, run_id: str) -> RunRow | None:
        """The run with exactly that id."""
        return next(iter(self._rows(f"{_SELECT} WHERE id = ?", (run_id,))), None)

    def list(self, *, limit: int = -1, running_only: bool = False) -> Sequence[RunRow]:
        """Runs, newest first; at most `limit` unless that is negative."""
        where = " WHERE state = 'running'" if running_only else ""
        return self._rows(f"{_SELECT}{where} ORDER BY created_at DESC, id DESC LIMIT ?", (limit,))

    def of_batch(self, key: str) -> Sequence[RunRow]:
        """The runs that carry out one task of a batch, oldest first; its rounds are several."""
        return self._rows(f"{_SELECT} WHERE batch = ? AND batch != '' ORDER BY created_at, id", (key,))

    def running_with_name(self, name: str) -> RunRow | None:
        """The newest run under way that the user gave that name."""
        order = "ORDER BY created_at DESC, id DESC LIMIT 1"
        rows = self._rows(f"{_SELECT} WHERE state = 'running' AND name = ? {order}", (name,))
        return rows[0] if rows else None

    def refuse_name_in_use(self, name: str) -> None:
        """Raises RefusedError if a run under way has that name: commands that take a name would mean two."""
        other = self.running_with_name(name) if name else None
        if other is not None:
            raise RefusedError(
                f"The name {name!r} is in use by {other.id}, which is still running.",
                hint=f"Choose another name, or end that run with `paddock stop {other.id}`.",
            )

    def find(self, prefix: str) -> str:
        """The id of the run that is meant: an exact id, the newest run of an exact name, `last`, or a unique prefix.

        Raises RunNotFoundError when there is none, or more than one; that lists them.
        """
        exact = self._ids("WHERE id = ?", (prefix,)) or self._ids("WHERE name = ? AND name != ''", (prefix,))
        if not exact and prefix == "last":
            exact = self._ids("", ())
        if exact:
            return exact[0]
        # A range instead of LIKE: it uses the primary key, and % and _ mean themselves.
        found = self._ids("WHERE id >= ? AND substr(id, 1, ?) = ?", (prefix, len(prefix), prefix)) if prefix else []
        if len(found) == 1:
            return found[0]
        raise self._not_found(prefix, found)

    def _not_found(self, prefix: str, found: Sequence[str]) -> RunNotFoundError:
        shown = escape_text(prefix)
        if found:
            more = [f"and {len(found) - _CANDIDATES_SHOWN} more"] if len(found) > _CANDIDATES_SHOWN else []
            listed = ", ".join([*found[:_CANDIDATES_SHOWN], *more])
            return RunNotFoundError(f"{shown!r} means more than one run: {listed}", hint="write more of the id")
        recent = [row.id for row in self.list(limit=3)]
        hint = f"the latest are {', '.join(recent)}; paddock ps -a lists all" if recent else "there are no runs yet"
        return RunNotFoundError(f"there is no run {shown!r}", hint=hint)

    def _ids(self, where: str, values: Sequence[object]) -> Sequence[str]:
        query = f"SELECT id FROM runs {where} ORDER BY created_at DESC, id DESC"  # noqa: S608 - `where` is ours
        return [found for (found,) in self._found(query, values)]

    def _rows(self, query: str, values: Sequence[object]) -> Sequence[RunRow]:
        return list(map(RunRow._make, self._found(query, values)))
