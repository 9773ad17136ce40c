"""The SQLite file that the ledger and the batches are in: opened, brought to the newest schema, and told of as ours."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from runner.errors import StoreError
from runner.store.schema import MIGRATIONS

SCHEMA_VERSION = len(MIGRATIONS)
BUSY_TIMEOUT = 10.0
"""Seconds for which a write waits for another process's."""


class Database:
    """The file at `path`, open from `with` on; several processes may have it open at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection

    def __enter__(self) -> Self:
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

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes of the scope, or none of them. Raises StoreError."""
        with self._told():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            with self._told():
                self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise

    def _change(self, statement: str, values: Sequence[object] = ()) -> int:
        with self._told():
            return self._connection.execute(statement, tuple(values)).rowcount

    def _found(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._told():
            return list(self._connection.execute(query, tuple(values)))

    def _prepare(self) -> None:
        version = self._version()
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{self._path} was written by a newer Paddock (schema {version}, this one knows {SCHEMA_VERSION})",
                hint="upgrade Paddock, or set PADDOCK_STATE_DIR to another place",
            )
        if version == 0:
            self._write_ahead()
        if version < SCHEMA_VERSION:
            self._migrate()
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

    def _migrate(self) -> None:
        """Every step that the file has not taken yet, all or none; nothing where somebody was quicker."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in (each for step in MIGRATIONS[self._version() :] for each in step.split(";")):
                if statement.strip():
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
