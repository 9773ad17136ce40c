"""What a run did on the network, summed up: one row for each name, port and verdict."""

from __future__ import annotations

from typing import Literal

from runner.model.base import Record

Verdict = Literal["allowed", "refused"]

REGISTRY_GROUPS = frozenset({"python", "npm", "debian", "rust", "go"})
"""Groups of a policy's lists that hold no names: an image's own tools say what they stand for."""


class NetworkRow(Record):
    """Lookups and connections that had one fate."""

    name: str
    """As the sandbox wrote it when it is no name: escape it before it is shown."""
    port: int | None
    """None: looked up, and not connected to."""
    verdict: Verdict
    reason: str
    count: int
    bytes_up: int = 0
    bytes_down: int = 0
