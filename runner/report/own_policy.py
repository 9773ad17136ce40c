"""A policy that a repository brings, shown to whoever is to trust it: all of it, and what is new in it."""

from __future__ import annotations

from collections.abc import Iterator

from runner.escape import escape_text

MOST_COMPARED = 2000
"""Lines: comparing takes time by the square of them, and the texts are strangers'."""


def policy_lines(place: str, text: str, digest: str, *, before: str | None) -> Iterator[str]:
    """The whole file; `before` is the one that was trusted last.

    Every line of a file begins with a bar, so that none can pass for one of ours.
    """
    yield f"Policy in {escape_text(place)}:"
    yield from (f"  | {shown}" for shown in _lines(text))
    if before is not None and before != text:
        yield ""
        yield "What differs from the policy that you trusted last:"
        yield from (f"  | {line}" for line in _differences(before, text))
    yield ""
    yield f"Digest: {digest}"


def _lines(text: str) -> list[str]:
    return [escape_text(line.expandtabs(4)) for line in text.removesuffix("\n").split("\n")]


def _differences(before: str, after: str) -> Iterator[str]:
    import difflib  # for a second look alone

    old, new = _lines(before), _lines(after)
    if max(len(old), len(new)) > MOST_COMPARED:
        yield f"more than {MOST_COMPARED} lines, which are not compared"
        return
    lines = difflib.unified_diff(old, new, lineterm="", n=2)
    yield from (line for line in lines if not line.startswith(("--- ", "+++ ")))
