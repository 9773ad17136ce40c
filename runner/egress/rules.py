"""What may be reached: a policy's network table compiled to rules that are asked by name and port. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Literal

from runner.model.base import Record
from runner.model.destinations import (
    OPEN_PORTS,
    SPECIAL_USE,
    TLS_PORT,
    Destination,
    check_name,
    parse_destination,
)
from runner.model.policy import Network


class Reason(StrEnum):
    """Why a connection was allowed or not: one stable word for the audit."""

    LISTED = "listed"
    OPEN = "open"
    DENIED = "denied-by-policy"
    NOT_LISTED = "not-listed"
    PORT_NOT_LISTED = "port-not-listed"
    NOT_A_NAME = "not-a-name"


class Decision(Record):
    """A rule's word on one name and port."""

    allowed: bool
    reason: Reason


class Rule(Record):
    """One destination and the ports on which it is meant; no ports means every port (deny rules only)."""

    kind: Literal["name", "below"]
    name: str
    ports: tuple[int, ...] = ()

    def covers(self, name: str) -> bool:
        """Whether a canonical name is the rule's own, or below it."""
        return name == self.name if self.kind == "name" else name.endswith("." + self.name)

    def includes(self, port: int) -> bool:
        """Whether the rule speaks of that port."""
        return not self.ports or port in self.ports


class Rules(Record):
    """A policy's network, compiled: deny beats allow, and what no rule covers is denied."""

    mode: Literal["none", "allow", "open"]
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()

    def decide(self, name: str, port: int) -> Decision:
        """Whether `name` (canonical) may be reached on `port`."""
        if self.mode == "none":
            return Decision(allowed=False, reason=Reason.NOT_LISTED)
        if any(rule.covers(name) and rule.includes(port) for rule in self.deny):
            return Decision(allowed=False, reason=Reason.DENIED)
        covering = [rule for rule in self.allow if rule.covers(name)]
        if any(rule.includes(port) for rule in covering):
            return Decision(allowed=True, reason=Reason.LISTED)
        if self.mode == "open" and name.rpartition(".")[2] in SPECIAL_USE:
            return Decision(allowed=False, reason=Reason.NOT_LISTED)
        if self.mode == "open" and port in OPEN_PORTS:
            return Decision(allowed=True, reason=Reason.OPEN)
        known = covering or self.mode == "open"
        return Decision(allowed=False, reason=Reason.PORT_NOT_LISTED if known else Reason.NOT_LISTED)

    def ports_of(self, name: str) -> tuple[int, ...]:
        """The ports on which `name` may be reached: what the shim listens on; empty means that it has no address."""
        candidates = {port for rule in self.allow if rule.covers(name) for port in rule.ports}
        candidates |= set(OPEN_PORTS) if self.mode == "open" else set()
        return tuple(sorted(port for port in candidates if self.decide(name, port).allowed))

    def denial_of(self, name: str) -> Reason:
        """Why a name has no address."""
        return Reason.DENIED if any(rule.covers(name) for rule in self.deny) else Reason.NOT_LISTED


Groups = Mapping[str, Iterable[str]]


def compile_rules(network: Network, groups: Groups) -> Rules:
    """The rules of a policy. `groups` maps a group's name, without `@`, to the entries it stands for.

    A group that is known and empty allows nothing. Raises ValueError that names a group which nobody defines.
    """
    return Rules(
        mode=network.mode,
        allow=tuple(_rules(network.allow, groups, (TLS_PORT,))),
        deny=tuple(_rules(network.deny, groups, ())),
    )


def _rules(entries: Iterable[str], groups: Groups, default: tuple[int, ...]) -> Iterable[Rule]:
    for entry in entries:
        yield from _expanded(parse_destination(entry), groups, default)


def _expanded(destination: Destination, groups: Groups, default: tuple[int, ...]) -> Iterable[Rule]:
    if destination.kind == "group":
        if destination.name not in groups:
            raise ValueError(f"@{destination.name} is no group; known groups: {', '.join(sorted(groups)) or 'none'}")
        for entry in groups[destination.name]:
            inner = parse_destination(entry)
            if inner.kind == "group":
                raise ValueError(f"@{destination.name} holds {inner}; a group holds names alone")
            yield from _expanded(inner, groups, default)
        return
    ports = default if destination.port is None else (destination.port,)
    yield Rule(kind=destination.kind, name=destination.name, ports=ports)


@lru_cache(maxsize=256)
def canonical_name(text: str) -> str:
    """The one form in which names are compared: small letters, no trailing dot. Raises ValueError for what is no name.

    The same rules as for a policy's entries: addresses in any spelling, single labels and look-alikes are no names.
    """
    if not text.isascii():
        raise ValueError("a name with letters outside ASCII")
    name = text.lower().removesuffix(".")
    check_name(name, text)
    return name
