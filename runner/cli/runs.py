"""Finding runs for commands, without loading more than a list needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from runner.settings import state_dir
from runner.store.ledger import LEDGER_NAME, Ledger, RunRow
from runner.store.runs import RunPaths, run_paths


@contextmanager
def open_ledger() -> Iterator[Ledger]:
    """The ledger of this user's state directory."""
    with Ledger(state_dir() / LEDGER_NAME) as ledger:
        yield ledger


def find_run(prefix: str) -> tuple[RunRow, RunPaths]:
    """The run that is meant. Raises `RunNotFoundError`."""
    with open_ledger() as ledger:
        run_id = ledger.find(prefix)
        row = ledger.get(run_id)
    assert row is not None  # noqa: S101 - found a moment ago by its own id
    return row, run_paths(state_dir(), run_id)
