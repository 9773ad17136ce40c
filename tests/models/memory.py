"""What the fake model remembers: every request, what its answers cost, and how many troubles there were."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.models.dialogues import Dialogue, Fault
from tests.models.replies import at_work, reply_to
from tests.models.wire import Asked, Reply, Usage

Choice = Dialogue | Callable[[Asked], Dialogue]
"""A dialogue, or who chooses one for a request (by its prompt, by how often the work was finished before)."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    """By lower-case name."""
    body: Any
    """The JSON document; the text where it is none."""
    at: float
    """`time.monotonic()` when the body was read."""
    asked: Asked | None = None
    """What it means, where it is a question to the model."""
    main: bool = False
    """The agent at work, and nothing on the side."""


@dataclass
class Memory:
    """What the threads of a server share."""

    choice: Choice
    workdir: str
    heard: list[Heard] = field(default_factory=list)
    billed: list[Usage] = field(default_factory=list)
    troubles: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)
    closing: threading.Event = field(default_factory=threading.Event)

    def hear(self, heard: Heard) -> None:
        """Remember a request, and wake those who wait for it."""
        with self.changed:
            self.heard.append(heard)
            self.changed.notify_all()

    def bill(self, usage: Usage) -> None:
        """Remember what an answer cost that is about to be sent whole."""
        with self.changed:
            self.billed.append(usage)

    def dialogue(self, asked: Asked) -> Dialogue:
        """The dialogue for a request."""
        return self.choice if isinstance(self.choice, Dialogue) else self.choice(asked)

    def trouble(self, asked: Asked) -> Fault | None:
        """The trouble that this request has, counted."""
        fault = self.dialogue(asked).fault
        if fault is None or not at_work(asked):
            return None
        with self.changed:
            self.troubles += 1
            return fault if fault.times is None or self.troubles <= fault.times else None

    def reply(self, asked: Asked) -> Reply:
        """The answer to a request."""
        return reply_to(asked, self.dialogue(asked), self.workdir)
