"""How a gateway reaches the world: its resolver, its dialling, what it takes for this host's own addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from runner.egress.addresses import Address
from runner.egress.dial import Dial, dial_tcp
from runner.egress.own_addresses import own_addresses
from runner.egress.resolver import Resolver, SystemResolver


@dataclass(frozen=True, kw_only=True)
class Outside:
    """As this machine does it, unless a caller says otherwise; tests do."""

    resolver: Resolver = field(default_factory=SystemResolver)
    dial: Dial = dial_tcp
    own: Callable[[], frozenset[Address]] = own_addresses
