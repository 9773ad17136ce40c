"""What happens in a batch, one line each."""

from __future__ import annotations

from typing import Literal

from runner.model.base import Record

BatchEventKind = Literal["began", "run", "ended", "again", "skipped", "chosen", "notice"]


class BatchEvent(Record):
    """One thing that happened. Texts of agents are escaped."""

    at: str
    kind: BatchEventKind
    task: str = ""
    attempt: int = 0
    """From 1; 0 where the task has only one."""
    number: int = 0
    """Which try of it, from 1."""
    run: str = ""
    outcome: str = ""
    text: str = ""
    branch: str = ""
    commits: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
