"""What is told of a batch: the JSON document that a webhook and a command are given."""

from __future__ import annotations

from typing import Literal

from runner.model.base import Record
from runner.model.notify_settings import NotifyEvent


class FailedTask(Record):
    """One task that did not do what it was to do."""

    task: str
    outcome: str
    reason: str = ""
    """Escaped, and cut."""
    run: str = ""
    branch: str = ""


class Notification(Record):
    """One message. `title` and `text` are for people; no control character is in them."""

    version: Literal[1] = 1
    event: NotifyEvent
    batch: str
    file: str
    state: str
    title: str
    text: str
    total: int
    succeeded: int
    failed: int
    """Skipped tasks among them."""
    cost_usd: float
    failures: tuple[FailedTask, ...] = ()
    """Of `failure` those that are new; never more than are worth reading."""
