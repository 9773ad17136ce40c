"""One line for each thing that happens in a batch."""

from __future__ import annotations

from typing import assert_never

from runner.escape import escape_text
from runner.model.batch_events import BatchEvent


def line_of(event: BatchEvent) -> str:  # noqa: PLR0911 - one line for each kind
    """What happened, in a line of plain text."""
    name = event.task + (f" ({event.attempt})" if event.attempt else "")
    text = escape_text(event.text)
    match event.kind:
        case "began":
            return (
                f"{name} began" + (f", try {event.number}" if event.number > 1 else "") + (f": {text}" if text else "")
            )
        case "run":
            return f"{name} is {event.run}"
        case "ended":
            return f"{name}: {ending_of(event)}" + (f": {text}" if text else "")
        case "again":
            return f"{name} is tried again {text}"
        case "skipped":
            return f"{name} is skipped: {text}"
        case "chosen":
            return f"{event.task}: attempt {event.attempt} is chosen ({ending_of(event)})"
        case "notice":
            return text
    assert_never(event.kind)


def ending_of(event: BatchEvent) -> str:
    """How a try ended, with what came out."""
    commits = f"{event.commits} commit{'s' if event.commits != 1 else ''}" if event.commits else ""
    cost = f"{event.cost_usd:.2f} USD" if event.cost_usd else ""
    return ", ".join(filter(None, (event.outcome, commits, event.branch, f"{event.seconds:.1f} s", cost)))
