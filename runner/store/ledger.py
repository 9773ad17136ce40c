"""The ledger of all runs: one SQLite table, plain enough for Datasette, quick enough for `paddock ps`.

It says what exists and what is running; the truth about a finished run is its result.json. Nothing heavy is
imported here.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from runner.errors import RefusedError, RunNotFoundError, StoreError
from runner.escape import escape_text

LEDGER_NAME = "ledger.db"
"""The ledger's file in the state directory."""

SCHEMA_VERSION = 1
BUSY_TIMEOUT = 10.0
"""Seconds for which a write waits for another process's."""

RUNNING = "running"
ENDED = "ended"

_SCHEMA = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL DEFAULT '',
    state TEXT NOT NULL CHECK (state IN ('running', 'ended')),
    phase TEXT NOT NULL DEFAULT '',
    outcome TEXT NOT NULL DEFAULT '',
    exit_code INTEGER,
    repo TEXT NOT NULL,
    branch TEXT NOT NULL DEFAULT '',
    agent TEXT NOT NULL,
    policy TEXT NOT NULL,
    created_at TEXT NOT NULL,
    ended_at TEXT NOT NULL DEFAULT '',
    owner_pid INTEGER NOT NULL,
    owner_started INTEGER NOT NULL,
    commits INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX runs_created_at ON runs (created_at);
CREATE INDEX runs_state ON runs (state, created_at);
CREATE INDEX runs_name ON runs (name);
CREATE UNIQUE INDEX runs_name_in_use ON runs (name) WHERE state = 'running' AND name != '';
"""

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


_COLUMNS = RunRow._fields
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM runs"  # noqa: S608 - our own column names
_INSERT = f"INSERT INTO runs ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608


class Ledger:
    """The table of runs in the file at `path`, open from `with` on; several processes may have it open at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection

    def __enter__(self) -> Ledger:
        with self._told():
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._path.touch(mode=0o600)  # SQLite gives its other files the same mode
            self._connection = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT, isolation_level=None)
        try:
            with self._told():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

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
        with self._told():
            return [found for (found,) in self._connection.execute(query, tuple(values))]

    def _rows(self, query: str, values: Sequence[object]) -> Sequence[RunRow]:
        with self._told():
            found = self._connection.execute(query, tuple(values))
            return list(map(RunRow._make, found))

    def _change(self, statement: str, values: Sequence[object]) -> int:
        with self._told():
            return self._connection.execute(statement, tuple(values)).rowcount

    def _prepare(self) -> None:
        version = self._version()
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self._path} was written by a newer Paddock (schema {version}, this one knows {SCHEMA_VERSION})",
                hint="upgrade Paddock, or set PADDOCK_STATE_DIR to another place",
            )
        if version == 0:
            self._write_ahead()
            self._create()
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def _write_ahead(self) -> None:
        """Changes the journal's mode. SQLite does not wait for another process here, whatever its timeout says."""
        until = time.monotonic() + BUSY_TIMEOUT
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.01)
            else:
                return

    def _create(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            if self._version() == 0:  # nobody was quicker
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"the ledger {self._path} cannot be used: {error}",
                hint="see whether the disk is full and who owns the file; moved away, it begins anew",
            ) from error
