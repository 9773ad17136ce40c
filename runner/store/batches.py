"""The batches in the ledger's file: what each is made of, how far it has got, and who carries it out.

Every change is one transaction, so that a batch whose process is killed can be gone on with from what stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runner.errors import RunNotFoundError
from runner.escape import escape_text
from runner.store.database import Database

RUNNING = "running"
STOPPED = "stopped"
ENDED = "ended"
QUEUED = "queued"
DONE = "done"
SKIPPED = "skipped"


class BatchRow(NamedTuple):
    """One batch. Times are ISO 8601 in UTC; the owner is the process that carries it out."""

    id: str
    file: str
    digest: str
    """Of all that it is made of: another one means another batch."""
    options: str
    """JSON: how it is carried out."""
    created_at: str
    owner_pid: int
    owner_started: int
    state: str = RUNNING
    why: str = ""
    """Why it was stopped."""
    stop: int = 0
    """How often somebody asked it to stop: once to begin nothing new, twice to end what runs."""
    ended_at: str = ""


class TaskRow(NamedTuple):
    """One task, without what it is about: see `Batches.work`."""

    number: int
    name: str
    repo: str
    agent: str
    provider: str
    cpus: float
    memory: int
    needs: str
    """JSON: names."""
    tags: str
    """JSON: names."""


class AttemptRow(NamedTuple):
    """One attempt at a task, and how it went; a try is one run of it."""

    task: int
    attempt: int
    state: str = QUEUED
    tries: int = 0
    failures: int = 0
    """Tries that were worth another one."""
    not_before: str = ""
    stop: int = 0
    chosen: int = 0
    run: str = ""
    outcome: str = ""
    ok: int = 0
    """Whether it did what it was to do."""
    reason: str = ""
    check: str = ""
    """`passed`, `failed`, or empty without one."""
    branch: str = ""
    commits: int = 0
    lines: int = 0
    """Insertions and deletions."""
    cost_usd: float = 0.0
    started_at: str = ""
    ended_at: str = ""


_BATCH = ", ".join(BatchRow._fields)
_TASK = ", ".join(TaskRow._fields)
_ATTEMPT = ", ".join(f'"{name}"' for name in AttemptRow._fields)
_ONE = "batch = ? AND task = ? AND attempt = ?"
_FRESH = AttemptRow(task=0, attempt=0)
_KEPT = frozenset({"cost_usd", "ended_at"})
"""What of earlier tries stays when a task is put back: with an end, the last of them is known to be over."""
_NEWEST = "ORDER BY created_at DESC, id DESC"


def key_of(batch: str, task: int, attempt: int, number: int) -> str:
    """By what the ledger knows one try: the `batch` of its runs."""
    return f"{batch}/{task}/{attempt}/{number}"


class Batches(Database):
    """The tables of batches in the ledger's file; one process changes a batch, others may look."""

    def add(self, batch: BatchRow, tasks: Iterable[tuple[TaskRow, str, int]]) -> None:
        """A new batch with its tasks: each row, its work as JSON, and how often it is attempted."""
        with self.transaction():
            self._change(f"INSERT INTO batches ({_BATCH}) VALUES ({_places(BatchRow)})", batch)  # noqa: S608
            for row, work, attempts in tasks:
                self._change(
                    f"INSERT INTO batch_tasks (batch, {_TASK}, work) VALUES (?, {_places(TaskRow)}, ?)",  # noqa: S608
                    (batch.id, *row, work),
                )
                for attempt in range(1, attempts + 1):
                    self._change(
                        "INSERT INTO batch_attempts (batch, task, attempt, state) VALUES (?, ?, ?, 'queued')",
                        (batch.id, row.number, attempt),
                    )

    def get(self, batch: str) -> BatchRow | None:
        """The batch with exactly that id."""
        return next(iter(self._batches("WHERE id = ?", (batch,))), None)

    def list(self, limit: int = -1) -> Sequence[BatchRow]:
        """Batches, newest first."""
        return self._batches(f"{_NEWEST} LIMIT ?", (limit,))

    def newest_of(self, file: str) -> BatchRow | None:
        """The newest batch that was made from a file."""
        return next(iter(self._batches(f"WHERE file = ? {_NEWEST} LIMIT 1", (file,))), None)

    def find(self, prefix: str) -> BatchRow:
        """The batch that is meant: its id, a unique beginning of it, or `last`. Raises RunNotFoundError."""
        if prefix == "last":
            found = self._batches(f"{_NEWEST} LIMIT 1")
        else:
            found = self._batches("WHERE substr(id, 1, ?) = ? ORDER BY id", (len(prefix), prefix)) if prefix else []
            found = [row for row in found if row.id == prefix] or found
        if len(found) == 1:
            return found[0]
        shown = escape_text(prefix)
        if found:
            raise RunNotFoundError(f"{shown!r} means more than one batch: {', '.join(row.id for row in found[:10])}")
        recent = [row.id for row in self.list(limit=3)]
        hint = f"the latest are {', '.join(recent)}" if recent else "there are no batches yet"
        raise RunNotFoundError(f"there is no batch {shown!r}", hint=hint)

    def take_over(self, before: BatchRow, pid: int, started: int) -> bool:
        """Makes a process the owner of a batch, which goes on; False when it is not as in `before` any more."""
        changed = self._change(
            "UPDATE batches SET owner_pid = ?, owner_started = ?, state = 'running', why = '', stop = 0, ended_at = ''"
            " WHERE id = ? AND state = ? AND owner_pid = ? AND owner_started = ?",
            (pid, started, before.id, before.state, before.owner_pid, before.owner_started),
        )
        return changed == 1

    def set_options(self, batch: str, options: str) -> None:
        """How it is carried out from here on."""
        self._change("UPDATE batches SET options = ? WHERE id = ?", (options, batch))

    def end(self, batch: str, *, state: str, why: str, ended_at: str) -> None:
        """Nobody carries it out any more: all is done, or it was stopped."""
        self._change("UPDATE batches SET state = ?, why = ?, ended_at = ? WHERE id = ?", (state, why, ended_at, batch))

    def ask_stop(self, batch: str, times: int) -> None:
        """Ask whoever carries it out to stop."""
        self._change("UPDATE batches SET stop = max(stop, ?) WHERE id = ?", (times, batch))

    def stop_asked(self, batch: str) -> int:
        """How often it was asked to."""
        return next((int(times) for (times,) in self._found("SELECT stop FROM batches WHERE id = ?", (batch,))), 0)

    def ask_attempt_stop(self, batch: str, task: int, attempt: int, times: int) -> None:
        """Ask whoever carries the batch out to end one run of it."""
        self._change(f"UPDATE batch_attempts SET stop = max(stop, ?) WHERE {_ONE}", (times, batch, task, attempt))  # noqa: S608

    def attempt_stops(self, batch: str) -> Sequence[tuple[int, int, int]]:
        """Task, attempt, and how often its end was asked for."""
        query = "SELECT task, attempt, stop FROM batch_attempts WHERE batch = ? AND state = 'running' AND stop > 0"
        return [(task, attempt, times) for task, attempt, times in self._found(query, (batch,))]

    def tasks(self, batch: str) -> Sequence[TaskRow]:
        """Every task, in the order of the file."""
        query = f"SELECT {_TASK} FROM batch_tasks WHERE batch = ? ORDER BY number"  # noqa: S608
        return [TaskRow._make(row) for row in self._found(query, (batch,))]

    def work(self, batch: str, number: int) -> str:
        """What a task is about, as JSON."""
        query = "SELECT work FROM batch_tasks WHERE batch = ? AND number = ?"
        return next((str(work) for (work,) in self._found(query, (batch, number))), "")

    def say(self, text: str) -> bool:
        """Whether the work of any task holds a text."""
        return bool(self._found("SELECT 1 FROM batch_tasks WHERE instr(work, ?) LIMIT 1", (text,)))

    def attempts(self, batch: str, task: int | None = None) -> Sequence[AttemptRow]:
        """Every attempt, of one task or of all."""
        where, values = ("", ()) if task is None else (" AND task = ?", (task,))
        query = f"SELECT {_ATTEMPT} FROM batch_attempts WHERE batch = ?{where} ORDER BY task, attempt"  # noqa: S608
        return [AttemptRow._make(row) for row in self._found(query, (batch, *values))]

    def begin(self, batch: str, task: int, attempt: int, at: str) -> None:
        """One more try of an attempt is under way."""
        self._change(
            "UPDATE batch_attempts SET state = 'running', tries = tries + 1, not_before = '', stop = 0, run = '',"  # noqa: S608
            f" started_at = ?, ended_at = '' WHERE {_ONE}",
            (at, batch, task, attempt),
        )

    def note_run(self, batch: str, task: int, attempt: int, run: str) -> None:
        """The run that a try is; of several rounds the latest."""
        self._change(f"UPDATE batch_attempts SET run = ? WHERE {_ONE}", (run, batch, task, attempt))  # noqa: S608

    def write(self, batch: str, row: AttemptRow) -> None:
        """An attempt as it stands now."""
        columns = ", ".join(f'"{name}" = ?' for name in AttemptRow._fields[2:])
        self._change(
            f"UPDATE batch_attempts SET {columns} WHERE {_ONE}",  # noqa: S608
            (*row[2:], batch, row.task, row.attempt),
        )

    def skip(self, batch: str, task: int, reason: str) -> None:
        """A task that can never begin."""
        self._change(
            "UPDATE batch_attempts SET state = 'skipped', reason = ? WHERE batch = ? AND task = ? AND state = 'queued'",
            (reason, batch, task),
        )

    def choose(self, batch: str, task: int, attempt: int) -> None:
        """The attempt that stands for its task."""
        self._change(
            "UPDATE batch_attempts SET chosen = (attempt = ?) WHERE batch = ? AND task = ?", (attempt, batch, task)
        )

    def put_back(self, batch: str, numbers: Iterable[int]) -> None:
        """All attempts of these tasks are to be made anew; what earlier tries left, and cost, stays."""
        columns = [name for name in AttemptRow._fields[4:] if name not in _KEPT]
        fresh, values = ", ".join(f'"{name}" = ?' for name in columns), [getattr(_FRESH, name) for name in columns]
        with self.transaction():
            for number in numbers:
                self._change(
                    f"UPDATE batch_attempts SET state = 'queued', {fresh} WHERE batch = ? AND task = ?",  # noqa: S608
                    (*values, batch, number),
                )

    def _batches(self, where: str, values: Sequence[object] = ()) -> Sequence[BatchRow]:
        return [BatchRow._make(row) for row in self._found(f"SELECT {_BATCH} FROM batches {where}", values)]  # noqa: S608


def _places(row: type[BatchRow] | type[TaskRow]) -> str:
    return ", ".join("?" * len(row._fields))
