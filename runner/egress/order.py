"""What a gateway is told when it is opened: the policy's rules, the run's files, the doors outside, the limits."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from runner.egress.addresses import PrivateEntries
from runner.egress.audit import AUDIT_LIMIT
from runner.egress.budget import Budget
from runner.egress.credential import Injected
from runner.egress.outside import Outside
from runner.egress.rules import Rules
from runner.model.usage import Used


@dataclass(frozen=True, kw_only=True)
class GatewayLimits:
    """Seconds, but for the first and the last two."""

    connections: int = 1024
    """How many a run may have at one time, lookups included."""
    connect: float = 10.0
    opening: float = 10.0
    """For a ClientHello after `OK`, and for each request's head once it has begun."""
    idle: float = 900.0
    """A tunnel through which nothing went; a model may think for ten minutes without a word."""
    total: float = 86_400.0
    sweep: float = 5.0
    """How often tunnels are held against these limits."""
    dialled: int = 8
    """Of more addresses than this all are checked, and the first ones tried."""
    audit: int = AUDIT_LIMIT
    """Bytes."""


@dataclass(frozen=True, kw_only=True)
class GatewayOrder:
    """Everything that a gateway knows."""

    rules: Rules
    private: PrivateEntries = field(default_factory=PrivateEntries)
    upload_limit: int
    """Bytes, over all connections of the run."""
    folder: Path
    """Where the socket is made: a folder that this run's sandbox alone mounts."""
    audit: Path
    """A file that no sandbox sees."""
    outside: Outside = field(default_factory=Outside)
    limits: GatewayLimits = GatewayLimits()
    injections: tuple[Injected, ...] = ()
    budget: Budget = field(default_factory=Budget)
    """What may be used of the models behind `injections`; then every connection to an injected host ends."""
    before: Used = field(default_factory=Used)
    """What the run had used up when an earlier gateway of it ended."""
    tls: ssl.SSLContext | None = None
    """Whom to trust where credentials are injected; it checks certificates and names."""
