"""The exact policy lines that would allow what a run was denied: read by a person first, never applied. Pure.

The names were chosen by whatever ran in the sandbox. So they are exact, never wildcards and never addresses, and
names that look made up to carry data are told apart, not pushed at the reader.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from runner.model.base import Record
from runner.model.destinations import TLS_PORT, Destination, parse_destination
from runner.model.network import NetworkRow
from runner.report.network import shown_name, without_canary
from runner.report.network_names import looks_made, owner_of
from runner.report.network_words import MENDABLE, times, words_of

Groups = Mapping[str, Iterable[str]]

MOST_BELOW = 8
"""Distinct names below one domain of one owner, or one where anybody has hosts; with more, none is suggested."""
MOST_ENTRIES = 30
MOST_LEFT_OUT = 20
MOST_JUDGED = 2000
"""Names that are looked at one by one; a record can hold hundreds of thousands."""

_NOWHERE = frozenset({"invalid", "localhost", "onion", "arpa", "local"})
"""Top-level domains in which nothing is found by DNS (RFC 6761, 6762, 7686)."""


class Entry(Record):
    """One line for `allow`."""

    text: str
    """`name`, or `name:port` where the port is not 443."""
    count: int
    guessed: bool
    """Whether the name was only looked up, so that nobody knows the port."""
    groups: tuple[str, ...] = ()
    """Those that name it, without `@`."""


class Suggestion(Record):
    """What a policy could allow, most wanted first, and what it should not or cannot, with the reason."""

    entries: tuple[Entry, ...]
    left_out: tuple[str, ...]
    """Sentences, escaped."""


Wanted = dict[tuple[str, int | None], int]


class _Known:
    """The names that groups stand for."""

    def __init__(self, groups: Groups) -> None:
        self._exact: dict[str, list[tuple[str, Destination]]] = defaultdict(list)
        self._below: list[tuple[str, Destination]] = []
        for group, entries in groups.items():
            for destination in map(parse_destination, entries):
                (self._below if destination.kind == "below" else self._exact[destination.name]).append(
                    (group, destination)
                )

    def groups_of(self, name: str, port: int | None = None) -> tuple[str, ...]:
        """The groups that stand for a name; with a port, for that port of it."""
        below = (pair for pair in self._below if name.endswith("." + pair[1].name))
        return tuple(
            group
            for group, destination in (*self._exact.get(name, ()), *below)
            if port is None or (destination.port or TLS_PORT) == port
        )


def suggest(rows: Sequence[NetworkRow], groups: Groups) -> Suggestion:
    """What would allow `rows`, which were refused. `groups` maps names of groups, without `@`, to their entries."""
    known = _Known(groups)
    wanted, left_out = _sorted_out(row for row in without_canary(rows) if row.name)
    judged = sorted(wanted, key=lambda item: (not known.groups_of(item[0]), -wanted[item], item[0], item[1] or 0))
    beyond = len(judged[MOST_JUDGED:])
    judged = judged[:MOST_JUDGED]
    crowds = _crowds({name for name, _ in judged if _is_exact(name)}, known)
    entries = []
    for name, port in judged:
        count = wanted[name, port]
        if doubt := _doubt(name, crowds, known):
            left_out[doubt] += count
        else:
            text = name if port in {None, TLS_PORT} else f"{name}:{port}"
            entries.append(Entry(text=text, count=count, guessed=port is None, groups=known.groups_of(name, port)))
    entries.sort(key=lambda entry: (-entry.count, entry.text))
    beyond += len(entries[MOST_ENTRIES:])
    return Suggestion(entries=tuple(entries[:MOST_ENTRIES]), left_out=tuple(_left_out(left_out, beyond)))


def _sorted_out(rows: Iterable[NetworkRow]) -> tuple[Wanted, Counter[str]]:
    """What an entry could allow, and sentences on what none can, each with how often it was asked for."""
    rows = tuple(rows)
    connected = {row.name for row in rows if row.port is not None}
    wanted: Wanted = Counter()
    left_out: Counter[str] = Counter()
    for row in rows:
        if row.reason not in MENDABLE:
            why = words_of(row.reason)
            place = shown_name(row.name) + ("" if row.port is None else f":{row.port}")
            left_out[f"{place}: {why.sentence}" + (f"; {why.mend}" if why.mend else "")] += row.count
        elif row.port is not None or row.name not in connected:  # every connection was looked up first
            wanted[row.name, row.port] += row.count
    return wanted, left_out


def _crowds(names: Iterable[str], known: _Known) -> dict[str, int]:
    """Domains below which more was asked for than people have hosts, and how many names."""
    below = Counter(domain for name in names if not known.groups_of(name) for domain in _domains_above(name))
    return {domain: count for domain, count in below.items() if count > MOST_BELOW}


def _domains_above(name: str) -> tuple[str, ...]:
    """The owner's domain, and the one in which anybody can have a host, as far as `name` lies below them."""
    owner = owner_of(name)
    shared = owner.partition(".")[2]
    return (*([owner] if name != owner else []), *([shared] if "." in shared else []))


def _doubt(name: str, crowds: Mapping[str, int], known: _Known) -> str:
    """Why a name is not suggested, as a sentence that the names of one crowd share; empty when it is."""
    shown = shown_name(name)
    if not _is_exact(name):
        why = words_of("not-a-name")
        return f"{shown}: {why.sentence}; {why.mend}"
    if known.groups_of(name):
        return ""
    if name.rpartition(".")[2] in _NOWHERE:
        return f"{shown}: no name like this has a public address"
    for domain in _domains_above(name):
        if domain in crowds:
            return f"{crowds[domain]} names below {shown_name(domain)} were asked for: looks like data in names"
    return f"{shown}: looks made by a machine, and may carry data" if looks_made(name) else ""


def _left_out(sentences: Counter[str], beyond: int) -> Iterator[str]:
    """The most frequent ones; how much there is beside them."""
    yield from (f"{text} (asked for {times(count)})" for text, count in sentences.most_common(MOST_LEFT_OUT))
    if len(sentences) > MOST_LEFT_OUT:
        yield f"{len(sentences) - MOST_LEFT_OUT} more of these kinds"
    if beyond:
        yield f"{beyond} more names, asked for less often"


def _is_exact(name: str) -> bool:
    """Whether a policy would read `name` as this one host."""
    try:
        destination = parse_destination(name)
    except ValueError:
        return False
    return destination.kind == "name" and destination.name == name


def suggestion_lines(suggestion: Suggestion, run: str, *, mode: str, observed: bool = False) -> Iterator[str]:
    """A piece of TOML that a policy could hold as it stands, and comments. `mode` is the policy's own."""
    if suggestion.entries:
        happened = "the policy would have denied to" if observed else "was denied to"
        yield f"# What {happened} {run}, as entries of a policy. Nothing was changed."
        yield "# Read each one first: the sandbox chose these names, and whatever it can read can be sent to them."
        yield "# A policy's own list replaces that of a policy which it extends: keep the entries that you need of it."
        yield "[network]"
        yield f'mode = "{"open" if mode == "open" and not observed else "allow"}"'
        yield "allow = ["
        texts = [json.dumps(entry.text) + "," for entry in suggestion.entries]
        width = max(map(len, texts))
        for text, entry in zip(texts, suggestion.entries, strict=True):
            yield f"  {text:<{width}}  # {_comment(entry)}"
        yield "]"
    else:
        yield f"# Nothing to suggest for {run}."
    if suggestion.left_out:
        yield "#"
        yield "# Not suggested:"
        yield from (f"#   {text}" for text in suggestion.left_out)


def _comment(entry: Entry) -> str:
    asked = f"looked up {times(entry.count)}; the port is a guess: {TLS_PORT}"
    parts = [asked if entry.guessed else f"asked for {times(entry.count)}"]
    if entry.groups:
        parts.append(f"in {', '.join('@' + group for group in entry.groups)}")
    if "xn--" in entry.text:
        parts.append("letters outside ASCII, which can look like others")
    return "; ".join(parts)
