"""Finds where in a patch of git's something was added: which commit, which file, which line; and how much in all.

Pure, for hostile bytes. A line of content begins with `+`, `-`, a blank or a backslash and no line of git's own does,
so no content can pass for a file's head. The time is bounded by the patch and by how often it is asked.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect, bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

BEFORE, AFTER = 300, 900
"""How much of a line is looked at on both sides of a place: a line can be as long as the patch."""

ARGUMENTS = (
    *("diff-tree", "--stdin", "--root", "--diff-merges=first-parent", "--numstat", "-p", "-U0", "-r", "--no-renames"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=none"),
)
"""For git, which has to be told to quote odd characters in paths: `core.quotePath`."""

_COMMIT = re.compile(rb"\n([0-9a-f]{64}|[0-9a-f]{40})\n")
_HEAD = re.compile(rb"\ndiff --git ")
_HUNK = re.compile(rb"\n@@ -[0-9,]{1,40} \+([0-9]{1,15})(?:,[0-9]{1,15})? @@")
_ESCAPE = re.compile(rb"\\([abtnvfr\"\\]|[0-3][0-7]{2})")
_LETTERS = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f", b"r": b"\r"}


@dataclass(frozen=True, slots=True)
class Place:
    """One added line. `commit` is empty where the patch does not name any."""

    commit: str
    path: bytes
    line: int


class Patch:
    """What `git diff-tree --stdin --numstat -p -U0` said, whole or cut off at any byte; `ARGUMENTS` are the others."""

    def __init__(self, text: bytes) -> None:
        self.text = text if text.startswith(b"\n") else b"\n" + text
        self._seen_line = (0, 0)
        self._seen_count = (0, 0, 0)

    def positions(self, needle: bytes) -> Iterator[int]:
        """Everywhere that `needle` is, in whatever line."""
        at = self.text.find(needle)
        while at >= 0:
            yield at
            at = self.text.find(needle, at + 1)

    def around(self, position: int) -> tuple[bytes, int]:
        """What is left and right of a position on the same line, without the sign, and where in it the position is."""
        line_start = self.text.rfind(b"\n", max(0, position - BEFORE - 2), position) + 1
        start = max(0, line_start + 1 if line_start else position - BEFORE)
        end = self.text.find(b"\n", position, position + AFTER)
        return self.text[start : end if end >= 0 else position + AFTER], position - start

    def place(self, position: int) -> Place | None:
        """Where the line of a position was added; None when it was not: it went, or is git's own.

        Asked for positions in their order, all answers together take one pass over the patch.
        """
        start = self._line_start(position)
        head, at = _last(self._heads, start), _last(self._hunks, start)
        if start < 1 or self.text[start : start + 1] != b"+" or not 0 <= head < at or at + 1 == start:
            return None
        hunk = _HUNK.match(self.text, at)
        name_at = self.text.find(b"\n+++ ", head, at)
        if hunk is None or name_at < 0:
            return None
        path = self.text[name_at + 5 : self.text.find(b"\n", name_at + 5)]
        line = int(hunk[1]) + self._added_between(hunk.end(), start)
        return Place(self._commit(head), _unquoted(path).removeprefix(b"b/"), line)

    def _line_start(self, position: int) -> int:
        before, start = self._seen_line
        found = self.text.rfind(b"\n", before, position) if before <= position else self.text.rfind(b"\n", 0, position)
        start = found + 1 if found >= 0 or before > position else start
        self._seen_line = (position, start)
        return start

    def _added_between(self, begin: int, start: int) -> int:
        """How many lines were added from `begin`, the end of a hunk's head, to the line that starts at `start`."""
        known, upto, count = self._seen_count
        if known != begin or upto > start:
            upto, count = begin, 0
        count += self.text.count(b"\n+", max(begin, upto - 1), start - 1)
        self._seen_count = (begin, start, count)
        return count

    def next_added(self, position: int, count: int) -> Iterator[bytes]:
        """Up to `count` added lines that follow the one of a position at once, each cut."""
        at = self.text.find(b"\n", position)
        while count and at >= 0 and self.text[at + 1 : at + 2] == b"+":
            end = self.text.find(b"\n", at + 1)
            yield self.text[at + 2 : min(end if end >= 0 else len(self.text), at + 2 + AFTER)]
            at, count = end, count - 1

    def numstats(self) -> dict[str, tuple[int, int, int]]:
        """Commit -> (files, insertions, deletions); binary files count without lines."""
        stats = {}
        for start, commit in self._commits:
            begin = start + len(commit) + 2
            lines = self.text[begin : self.text.find(b"\ndiff --git ", begin)].split(b"\n")
            numbers = [line.split(b"\t", 2)[:2] for line in lines if line.count(b"\t") >= 2]
            plus, minus = (sum(int(pair[which]) for pair in numbers if pair[which].isdigit()) for which in (0, 1))
            stats[commit] = (len(numbers), plus, minus)
        return stats

    def _commit(self, before: int) -> str:
        """The commit that stands last before a position; every commit has a line of its own."""
        number = bisect(self._commits, (before, ""))
        return self._commits[number - 1][1] if number else ""

    @cached_property
    def _heads(self) -> array[int]:
        return array("Q", (found.start() for found in _HEAD.finditer(self.text)))

    @cached_property
    def _hunks(self) -> array[int]:
        return array("Q", (found.start() for found in _HUNK.finditer(self.text)))

    @cached_property
    def _commits(self) -> list[tuple[int, str]]:
        return [(found.start(), found[1].decode("ascii")) for found in _COMMIT.finditer(self.text)]


def _last(positions: array[int], before: int) -> int:
    """The last of ascending positions that is less than `before`; -1 when there is none."""
    number = bisect_left(positions, before)
    return positions[number - 1] if number else -1


def _unquoted(name: bytes) -> bytes:
    """A path as git's patches spell it: in quotes where a character is odd; one with a blank ends in a tab."""
    name = name.removesuffix(b"\t")
    if len(name) < 2 or not name.startswith(b'"'):
        return name
    return _ESCAPE.sub(_byte, name[1:-1])


def _byte(match: re.Match[bytes]) -> bytes:
    text = match[1]
    return bytes([int(text, 8)]) if len(text) == 3 else _LETTERS.get(text, text)
