"""A run's network as a person reads it: the rows worth showing, and the few lines at the end of a run. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from runner.escape import escape_text
from runner.model.network import NetworkRow
from runner.report.network_words import words_of

SHOWN_ROWS = 100
"""Of each verdict, in a table; a record can have hundreds of thousands."""
SHOWN_NAME = 64
NAMES_IN_A_LINE = 4
BUDGET = "budget"
"""No host was denied there: the outcome tells which limit was reached."""

_CANARY = re.compile(r"paddock-canary-[0-9a-f]{16}\.invalid", re.ASCII)


def without_canary(rows: Sequence[NetworkRow]) -> tuple[NetworkRow, ...]:
    """`rows` without the one question of the self-test at a run's start.

    It asks for one name, of exactly one form, and connects to nothing: what only looks like it stays, and with two
    such names, one is an agent's and both stay.
    """
    names = {row.name for row in rows if _is_canary(row)}
    return tuple(row for row in rows if len(names) != 1 or not _is_canary(row))


def _is_canary(row: NetworkRow) -> bool:
    return row.verdict == "refused" and row.port is None and _CANARY.fullmatch(row.name) is not None


def busiest(rows: Iterable[NetworkRow], most: int = SHOWN_ROWS) -> tuple[tuple[NetworkRow, ...], int]:
    """At most `most` rows that were refused and as many that were allowed, the most asked for first; how many are left.

    Apart, so that an agent cannot push what it reached out of sight with names that it made up.
    """
    refused = sorted((row for row in rows if row.verdict == "refused"), key=lambda row: -row.count)
    allowed = sorted(
        (row for row in rows if row.verdict == "allowed"), key=lambda row: (-row.bytes_up - row.bytes_down, -row.count)
    )
    left = max(0, len(refused) - most) + max(0, len(allowed) - most)
    return (*refused[:most], *allowed[:most]), left


HEADER = ("NAME", "PORT", "VERDICT", "COUNT", "UP", "DOWN", "WHY")


def network_cells(rows: Iterable[NetworkRow], would_deny: Sequence[NetworkRow] = ()) -> Iterator[tuple[str, ...]]:
    """The cells below `HEADER`, escaped. `would_deny` are rows that were allowed, with what a stricter policy says."""
    stricter = {(row.name, row.port): row for row in would_deny}
    for row in rows:
        denial = stricter.get((row.name, row.port)) if row.verdict == "allowed" else None
        yield (
            shown_name(row.name),
            "-" if row.port is None else str(row.port),
            "would deny" if denial else row.verdict,
            str(row.count),
            amount(row.bytes_up),
            amount(row.bytes_down),
            words_of(denial.reason if denial else row.reason).sentence,
        )


def denial_lines(rows: Sequence[NetworkRow], run: str, *, observed: bool = False) -> Iterator[str]:
    """The lines of a closing summary on what the network did not give; none where there is nothing to tell.

    `rows` are those that were refused, or with `observed` those that the given policy would have refused.
    """
    named = [row for row in without_canary(rows) if row.name and row.reason != BUDGET]
    failed = [row for row in named if words_of(row.reason).failed]
    denied = [row for row in named if not words_of(row.reason).failed]
    if denied:
        verb = "that the policy would have denied" if observed else "denied"
        yield f"  {'network':<10}{_counted(denied)} {verb}: {_listed(denied)}"
        yield f"  {'':<10}see `paddock network {run}` and `paddock policy suggest {run}`"
    if failed:
        yield f"  {'network':<10}{_counted(failed)} allowed, but not reached: {_listed(failed)}"
        if not denied:
            yield f"  {'':<10}see `paddock network {run}`"


def _counted(rows: Sequence[NetworkRow]) -> str:
    count = len({row.name for row in rows})
    return f"{count} name{'s' * (count != 1)}"


def _listed(rows: Sequence[NetworkRow]) -> str:
    counts: dict[str, int] = {}
    connected = {row.name for row in rows if row.port is not None}
    for row in rows:
        if row.port is None and row.name in connected:
            continue  # looked up first, as every connection is
        text = shown_name(row.name) + ("" if row.port in {None, 443} else f":{row.port}")
        counts[text] = counts.get(text, 0) + row.count
    most = sorted(counts.items(), key=lambda item: -item[1])
    listed = [f"{text} ({count})" for text, count in most[:NAMES_IN_A_LINE]]
    return ", ".join([*listed, *([f"and {len(most) - NAMES_IN_A_LINE} more"] if len(most) > NAMES_IN_A_LINE else [])])


def shown_name(name: str) -> str:
    """A name as it may be printed: escaped, and no longer than a part of a line."""
    text = escape_text(name) or "-"
    return text if len(text) <= SHOWN_NAME else text[: SHOWN_NAME - 3] + "..."


def amount(count: int) -> str:
    """Bytes for a table: short rather than exact."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"
