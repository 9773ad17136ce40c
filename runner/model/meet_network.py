"""The meet of two network tables: reached is what both reach, and denied is what either denies. Pure.

A list binds through look-ups, not by comparing every entry with every other one: files come from strangers.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import copy

from runner.model.destinations import OPEN_PORTS, SPECIAL_USE, TLS_PORT, Destination, parse_destination
from runner.model.network import REGISTRY_GROUPS
from runner.model.policy import Injection, Network

MODES = ("none", "allow", "open")
"""From the least to the most."""
Groups = Mapping[str, Iterable[str]]


def meet_networks(mine: Network, bound: Network, written: Collection[str], groups: Groups) -> Network:
    """What both tables let out. `network.mode` binds together with `allow`, `private` and `inject` of the same file.

    Groups of registries, which only an image explains, meet themselves, and mode `open`, which has them all.
    """
    upload = min(mine.upload_limit, bound.upload_limit) if "network.upload_limit" in written else mine.upload_limit
    mode = min(mine.mode, bound.mode, key=MODES.index) if "network.mode" in written else mine.mode
    if mode == "none":
        return Network(mode="none").model_copy(update={"upload_limit": upload})
    changes: dict[str, object] = {"mode": mode, "upload_limit": upload}
    inject = mine.inject
    if "network.mode" in written:
        here, there = _Reach(mine, groups), _Reach(bound, groups)
        changes["allow"] = tuple(dict.fromkeys((*here.shared_with(there), *there.listed_by(here))))
        changes["private"] = meet_private(mine.private, bound.private)
        inject = tuple(each for each in inject if each in bound.inject or there.covers(("name", each.host, TLS_PORT)))
    if "network.deny" in written:
        changes["deny"] = tuple(dict.fromkeys((*mine.deny, *bound.deny)))
        denied = _Reach(Network(mode="allow").model_copy(update={"allow": bound.deny}), groups, every_port=True)
        inject = tuple(each for each in inject if not any(denied.covers(key) for key in _ways(each)))
    return mine.model_copy(update={**changes, "inject": inject})


def _ways(injection: Injection) -> Iterator[Key]:
    """A credential is asked for in plain HTTP, and goes out over TLS."""
    yield from (("name", injection.host, port) for port in OPEN_PORTS)


Key = tuple[str, str, int | None]
"""Kind, name and port of an entry; no port is every port."""


class _Reach:
    """What one table lets out, deny aside; with `every_port`, an entry without a port means all of them."""

    def __init__(self, network: Network, groups: Groups, *, every_port: bool = False) -> None:
        self.open = self._has_registries = network.mode == "open"
        self._groups = groups
        self._every_port = every_port
        self._entries = tuple(dict.fromkeys(map(parse_destination, network.allow)))
        self._known = frozenset(key for entry in self._entries for key in (_key(entry), *self._expanded(entry)))

    def _expanded(self, entry: Destination) -> tuple[Key, ...]:
        """Names with their ports; a group of registries stays what it is."""
        if entry.kind != "group" or entry.name in REGISTRY_GROUPS:
            return (self._with_port(entry),)
        return tuple(self._with_port(parse_destination(each)) for each in self._groups.get(entry.name, ()))

    def _with_port(self, entry: Destination) -> Key:
        kind, name, port = _key(entry)
        return (kind, name, port if port is not None or kind == "group" or self._every_port else TLS_PORT)

    def covers(self, key: Key) -> bool:
        """Whether all of a name, of what is below a name, or of a group of registries can be reached."""
        kind, name, port = key
        if kind == "group":
            return key in self._known or (self._has_registries and name in REGISTRY_GROUPS)
        return self._opens(name, port) or self._lists(key)

    def _opens(self, name: str, port: int | None) -> bool:
        return self.open and port in OPEN_PORTS and name.rpartition(".")[2] not in SPECIAL_USE

    def _lists(self, key: Key) -> bool:
        kind, name, port = key
        ports = (port, None) if self._every_port else (port,)
        return any((*wider, each) in self._known for wider in _wider(kind, name) for each in ports)

    def listed_by(self, other: _Reach) -> Iterator[str]:
        """As `shared_with`, but for what both reach by their modes: there an entry would say nothing more."""
        narrow = copy(other)
        narrow.open = other.open and not self.open
        yield from self.shared_with(narrow)

    def shared_with(self, other: _Reach) -> Iterator[str]:
        """Those of its entries that `other` covers; of a group that is covered in part, the covered names."""
        for entry in self._entries:
            inner = self._expanded(entry)
            covered = [key for key in inner if other.covers(key)]
            if _key(entry) in other._known or (covered and len(covered) == len(inner)):
                yield str(entry)
            else:
                yield from map(_text, covered)


def _key(entry: Destination) -> Key:
    return (entry.kind, entry.name, entry.port)


def _wider(kind: str, name: str) -> Iterator[tuple[str, str]]:
    """The entry itself, and every `*.name` that it lies within."""
    yield kind, name
    while "." in name:
        name = name.partition(".")[2]
        yield "below", name


def _text(key: Key) -> str:
    kind, name, port = key
    text = f"*.{name}" if kind == "below" else name
    return text if port in {None, TLS_PORT} else f"{text}:{port}"


def meet_private(mine: Iterable[str], bound: Iterable[str]) -> tuple[str, ...]:
    """Networks, and names on them, that both lists hold or have within something wider.

    One address meets itself alone: written down alone it may be this host's own, as no network around it may.
    """
    here, there = _Private(mine), _Private(bound)
    return tuple(dict.fromkeys((*filter(there.covers, here.entries), *filter(here.covers, there.entries))))


class _Private:
    """The entries of one `private` list."""

    def __init__(self, entries: Iterable[str]) -> None:
        self.entries = tuple(entries)
        self._known = frozenset(self.entries)

    def covers(self, entry: str) -> bool:
        """Whether an entry, or something that it lies within, is in the list."""
        if "/" in entry:
            network = ipaddress.ip_network(entry)
            if network.num_addresses == 1:
                return entry in self._known
            wider = (str(network.supernet(new_prefix=prefix)) for prefix in range(network.prefixlen + 1))
        else:
            named = parse_destination(entry)
            wider = (_text((*each, None)) for each in _wider(named.kind, named.name))
        return any(each in self._known for each in wider)
