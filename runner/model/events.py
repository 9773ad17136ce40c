"""What happens during a run, as it happens: consumed by the console and written as JSON lines."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from runner.model.base import Record
from runner.model.result import Outcome


class Phase(StrEnum):
    """The steps of a run, in their order."""

    PREPARE = "prepare"
    WORKSPACE = "workspace"
    SANDBOX = "sandbox"
    AGENT = "agent"
    STOP = "stop"
    COLLECT = "collect"
    GATES = "gates"
    IMPORT = "import"
    CHECK = "check"
    REPORT = "report"


class PhaseStarted(Record):
    """A phase has begun."""

    kind: Literal["phase-started"] = "phase-started"
    phase: Phase


class PhaseEnded(Record):
    """A phase is over after `seconds`; `failed` when an error of ours ended it."""

    kind: Literal["phase-ended"] = "phase-ended"
    phase: Phase
    seconds: float
    failed: bool = False


class Notice(Record):
    """Something that a reader of the result should know."""

    kind: Literal["notice"] = "notice"
    text: str


class Stopping(Record):
    """The agent is being stopped; `signal` is what it was sent."""

    kind: Literal["stopping"] = "stopping"
    reason: Outcome
    signal: str


class Ended(Record):
    """The run is over."""

    kind: Literal["ended"] = "ended"
    outcome: Outcome


Event = Annotated[
    PhaseStarted | PhaseEnded | Notice | Stopping | Ended,
    Field(discriminator="kind"),
]
