"""Who runs Paddock and what it was given: passed in, so that a run reads no environment and no global."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner.clock import Clock, SystemClock
from runner.model.events import Event
from runner.model.identity import Identity
from runner.model.settings import Settings
from runner.run.cancellation import Cancellation
from runner.sandbox.engine import Engine
from runner.store.ledger import LEDGER_NAME
from runner.store.runs import RunPaths

if TYPE_CHECKING:  # asyncio and an agent's records, which a run without them need not wait for
    from runner.egress.outside import Outside
    from runner.model.activity import Activity, Progress

DEFAULT_AGENT = Identity(uid=1000, gid=1000)
"""Who the agent is when neither Paddock nor the repository's owner is an ordinary user."""


def _silent(_event: Event) -> None:
    """Nobody listens."""


def _unseen(_stream: int, _data: bytes) -> None:
    """Nobody watches."""


def _unwatched(_activity: Activity | Progress) -> None:
    """Nobody follows it."""


def _unnoticed(_paths: RunPaths) -> None:
    """Nobody waits for it."""


def _no_variable(_name: str) -> str | None:
    """There is no environment."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """The outside of a run."""

    settings: Settings
    engine: Engine
    home: Path
    clock: Clock = field(default_factory=SystemClock)
    cancellation: Cancellation = field(default_factory=Cancellation)
    tell: Callable[[Event], None] = _silent
    """Called with every event, from the run's own thread or its watchdog."""
    show: Callable[[int, bytes], None] = _unseen
    """Called with every piece of masked output: stream (1 or 2) and bytes that are still hostile text."""
    watch: Callable[[Activity | Progress], None] = _unwatched
    """Called with everything that an agent with an event stream says it does, secrets masked; hostile text."""
    opened: Callable[[RunPaths], None] = _unnoticed
    """Called with each run as soon as it can be found, stopped and recovered; must not fail."""
    outside: Outside | None = None
    """How gateways resolve and dial; `None`: as this machine does."""
    variable: Callable[[str], str | None] = _no_variable
    """A variable of the environment, for secrets that a policy injects."""
    trust: Path | None = None
    """The file of what the user trusts of repositories; `None`: nothing is trusted."""
    clones: Mapping[str, Path] = field(default_factory=dict)
    """Bare clones that were brought up to date already, by URL, for runs that begin one after the other."""
    ceilings: tuple[Path, ...] = ()
    """Files of policies that bound every other one, where they are there."""
    user: Identity = field(default_factory=lambda: Identity(uid=os.geteuid(), gid=os.getegid()))

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.settings.state_dir / LEDGER_NAME


def agent_identity(user: Identity, owner: Identity) -> Identity:
    """Who the agent is inside: the user; for root the repository's owner; never uid 0."""
    for candidate in (user, owner):
        if candidate.uid != 0:
            return Identity(uid=candidate.uid, gid=candidate.gid or candidate.uid)
    return DEFAULT_AGENT
