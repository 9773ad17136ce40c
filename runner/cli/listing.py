"""`paddock ps`: quick over ten thousand runs, so it loads neither docker nor pydantic."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from runner.cli.runs import open_ledger
from runner.cli.terminal import answer, outcome_color, say, styled, table
from runner.store.ledger import RUNNING, RunRow
from runner.store.owner import owner_alive

HEADER = ("RUN", "STATE", "AGENT", "POLICY", "AGE", "COMMITS", "REPO")
ORPHANED = "orphaned"
MINUTE, HOUR, DAY = 60, 3600, 86400


def list_runs(*, all_runs: bool, limit: int, as_json: bool) -> None:
    """Print one line for each run, newest first."""
    with open_ledger() as ledger:
        rows = ledger.list(limit=limit, running_only=not all_runs)
    if as_json:
        answer(json.dumps([{**row._asdict(), "state": state_of(row)} for row in rows], indent=2))
        return
    if not rows:
        answer("No runs yet." if all_runs else "Nothing is running; `paddock ps -a` lists finished runs.")
        return
    header, *lines = lines_of(rows, datetime.now(UTC))
    answer(styled(header, bold=True))
    for line, row in zip(lines, rows, strict=True):
        word = state_of(row)
        answer(line.replace(f" {word} ", f" {styled(word, color=outcome_color(word))} ", 1))
    if any(state_of(row) == ORPHANED for row in rows):
        say("the Paddocks of orphaned runs died; `paddock recover` takes up what they left")


def lines_of(rows: Sequence[RunRow], now: datetime) -> list[str]:
    """The table's lines, header first."""
    cells = [
        (row.id, state_of(row), row.agent, row.policy, age(row.created_at, now), str(row.commits), row.repo)
        for row in rows
    ]
    return table(HEADER, cells)


def state_of(row: RunRow) -> str:
    """`running`, its outcome, or `orphaned` when the Paddock that carried it out is gone."""
    if row.state != RUNNING:
        return row.outcome
    return f"running:{row.phase}" if owner_alive(row) else ORPHANED


def age(created_at: str, now: datetime) -> str:
    """How long ago, in one unit: `12s`, `5m`, `3h`, `9d`."""
    seconds = max(0, int((now - datetime.fromisoformat(created_at)).total_seconds()))
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
