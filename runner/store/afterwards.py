"""What became of batches once they were carried out: pull requests that were opened, and how one is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from runner.store.database import Database
from runner.store.ledger import RunRow


class RequestRow(NamedTuple):
    """One pull request or merge request that stands for an attempt's run."""

    batch: str
    task: int
    attempt: int
    run: str
    branch: str
    """Its name on the remote."""
    url: str
    made_at: str


_REQUEST = ", ".join(RequestRow._fields)
_RUN = ", ".join(RunRow._fields)


class Afterwards(Database):
    """The same file as `Ledger` and `Batches` have; several processes may have it open at once."""

    def note_request(self, row: RequestRow) -> None:
        """That it is there. Once more is no harm."""
        places = ", ".join("?" * len(row))
        self._change(f"INSERT OR REPLACE INTO batch_requests ({_REQUEST}) VALUES ({places})", row)  # noqa: S608

    def request_of(self, batch: str, task: int, attempt: int, run: str) -> RequestRow | None:
        """What was opened for one run."""
        where = "WHERE batch = ? AND task = ? AND attempt = ? AND run = ?"
        found = self._found(f"SELECT {_REQUEST} FROM batch_requests {where}", (batch, task, attempt, run))  # noqa: S608
        return RequestRow._make(found[0]) if found else None

    def runs_of(self, batch: str) -> Sequence[RunRow]:
        """Every run that carried out some part of a batch, oldest first."""
        where = "WHERE batch != '' AND substr(batch, 1, ?) = ? ORDER BY created_at, id"
        found = self._found(f"SELECT {_RUN} FROM runs {where}", (len(batch) + 1, f"{batch}/"))  # noqa: S608
        return [RunRow._make(row) for row in found]

    def repos_of_others(self, batch: str) -> set[str]:
        """Repositories of the tasks of other batches, and of runs that are none of this batch's."""
        own = (len(batch) + 1, f"{batch}/")
        tasks = self._found("SELECT DISTINCT repo FROM batch_tasks WHERE batch != ?", (batch,))
        runs = self._found("SELECT DISTINCT repo FROM runs WHERE substr(batch, 1, ?) != ?", own)
        return {str(repo) for (repo,) in (*tasks, *runs)}

    def forget(self, batch: str) -> None:
        """All rows of a batch but those of its runs, which stay runs of nobody's."""
        with self.transaction():
            self._change("UPDATE runs SET batch = '' WHERE substr(batch, 1, ?) = ?", (len(batch) + 1, f"{batch}/"))
            for table in ("batch_requests", "batch_attempts", "batch_tasks"):
                self._change(f"DELETE FROM {table} WHERE batch = ?", (batch,))  # noqa: S608
            self._change("DELETE FROM batches WHERE id = ?", (batch,))
