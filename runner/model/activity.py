"""What an agent says that it does, as its event stream tells it: for people to watch, never for decisions.

Every text is the agent's, and hostile: it is escaped where it is shown. Nothing here is evidence of a commit.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runner.model.base import Record


class Said(Record):
    """Words."""

    kind: Literal["said"] = "said"
    text: str


class ToolUsed(Record):
    """A tool, and in one line what it is used on: a command, a file, a search."""

    kind: Literal["tool"] = "tool"
    name: str
    detail: str = ""


class Edited(Record):
    """A file that it writes, as the agent names it."""

    kind: Literal["edited"] = "edited"
    path: str


class Reported(Record):
    """Tokens that the agent says it used since it last said so; `None` is not told."""

    kind: Literal["reported"] = "reported"
    model: str = ""
    input: int = 0
    cached: int = 0
    cache_write: int = 0
    output: int = 0
    cost_usd: float | None = None
    """What the agent itself thinks that these tokens cost."""


class Answered(Record):
    """Its last word: the result, in its own words. A later one replaces an earlier one."""

    kind: Literal["answered"] = "answered"
    text: str


class SessionNamed(Record):
    """The name under which it can go on with this conversation."""

    kind: Literal["session"] = "session"
    id: str


class Trouble(Record):
    """Something went wrong that it tells of: a model that is overloaded, a tool that failed."""

    kind: Literal["trouble"] = "trouble"
    text: str


class Progress(Record):
    """How far a run has got: for whoever watches it, and written nowhere."""

    kind: Literal["progress"] = "progress"
    tokens: int
    """All that were used so far."""
    cost_usd: float | None
    """What they cost; `None` where no price is known."""
    seconds: float
    """Since the agent started."""
    left: float
    """Seconds until limits.wall_clock."""


Activity = Annotated[
    Said | ToolUsed | Edited | Reported | Answered | SessionNamed | Trouble,
    Field(discriminator="kind"),
]
