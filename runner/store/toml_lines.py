"""Finds the line of every key in a TOML document, because the standard library's parser keeps no positions.

It reads what `tomllib` accepts and more, never judges, and stops quietly where it cannot go on: the parser
proper has the last word on whether a document is valid.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

KeyPath = tuple[str | int, ...]

DEEPEST = 64
"""Key paths longer than this are not recorded: their number of prefixes grows with the square of their length."""

_BLANK = re.compile(r"[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_SCALAR = re.compile(r"[^,\]}#\n]*")
# Possessive, so that an unterminated string is given up in one pass.
_STRINGS = {
    '"""': re.compile(r'"""(?:[^"\\]++|\\.|"(?!""))*+"{3,5}', re.DOTALL),
    "'''": re.compile(r"'''(?:[^']++|'(?!''))*+'{3,5}"),
    '"': re.compile(r'"(?:[^"\\\n]++|\\.)*+"'),
    "'": re.compile(r"'[^'\n]*'"),
}


def locate(text: str) -> dict[KeyPath, int]:
    """The line, counted from 1, on which each table, key and element begins; see `line_of` for a tolerant look-up.

    A table that is written twice (`[a.b]` before `[a]`) has the line that names it first.
    """
    scanner = _Scanner(text)
    scanner.run()
    return scanner.lines


def line_of(lines: Mapping[KeyPath, int], path: KeyPath) -> int:
    """The line of `path`, or of its nearest parent that stands in the document; 1 when none does."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def too_deep_at(text: str, limit: int) -> int | None:
    """The line of the first key or value nested deeper than `limit`, or None.

    Asked before `tomllib` parses: it takes time by the square of a dotted key's length, and recursion for brackets.
    """
    scanner = _Scanner(text, limit)
    scanner.run()
    return scanner.too_deep


class _Stop(Exception):
    """The text cannot be followed any further."""


@dataclass
class _Open:
    """A bracket that has been opened and not yet closed."""

    path: KeyPath
    closing: str
    count: int = 0


@dataclass
class _Scanner:
    text: str
    limit: int = DEEPEST
    at: int = 0
    lines: dict[KeyPath, int] = field(default_factory=dict)
    too_deep: int | None = None

    def __post_init__(self) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", self.text))]
        self._elements: dict[KeyPath, int] = {}  # of arrays of tables: how many so far

    def run(self) -> None:
        table: KeyPath = ()
        try:
            while True:
                self._skip(_BLANK_LINES)
                if self.at >= len(self.text):
                    return
                if self.text[self.at] == "[":
                    table = self._header()
                else:
                    self._value(self._assignment(table))
        except _Stop:
            return

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _expect(self, literal: str) -> None:
        if not self.text.startswith(literal, self.at):
            raise _Stop
        self.at += len(literal)

    def _record(self, path: KeyPath, start: int) -> None:
        line = bisect_right(self._starts, start)
        if len(path) > self.limit:
            self.too_deep = line
            raise _Stop
        self.lines.setdefault(path, line)

    def _header(self) -> KeyPath:
        start = self.at
        double = self.text.startswith("[[", self.at)
        self.at += 2 if double else 1
        keys = self._key(())
        self._expect("]]" if double else "]")
        path: KeyPath = ()
        for position, key in enumerate(keys, 1):
            path = (*path, key)
            self._record(path, start)
            if double and position == len(keys):
                self._elements[path] = self._elements.get(path, 0) + 1
            if path in self._elements:
                path = (*path, self._elements[path] - 1)
                self._record(path, start)
        return path

    def _assignment(self, table: KeyPath) -> KeyPath:
        """Reads `a.b =` and gives the path of its value."""
        start = self.at
        path = table
        for key in self._key(table):
            path = (*path, key)
            self._record(path, start)
        self._expect("=")
        return path

    def _key(self, table: KeyPath) -> list[str]:
        start = self.at
        keys: list[str] = []
        while True:
            self._skip(_BLANK)
            keys.append(self._key_part())
            if len(table) + len(keys) > self.limit:
                self.too_deep = bisect_right(self._starts, start)
                raise _Stop
            self._skip(_BLANK)
            if not self.text.startswith(".", self.at):
                return keys
            self.at += 1

    def _key_part(self) -> str:
        start = self.at
        quote = self.text[start : start + 1]
        pattern = _STRINGS[quote] if quote in ("'", '"') else _BARE_KEY
        match = pattern.match(self.text, start)
        if match is None:
            raise _Stop
        self.at = match.end()
        if quote == '"' and "\\" in match[0]:
            return _unescaped(match[0])
        return match[0][1:-1] if quote in ("'", '"') else match[0]

    def _value(self, path: KeyPath) -> None:
        """Passes over one value, recording what arrays and inline tables hold; a stack stands in for recursion."""
        stack: list[_Open] = []
        self._enter(path, stack)
        while stack:
            self._skip(_BLANK_LINES)
            inner = stack[-1]
            character = self.text[self.at : self.at + 1]
            if character in (inner.closing, ","):
                self.at += 1
                if character == inner.closing:
                    stack.pop()
            elif not character:
                raise _Stop
            elif inner.closing == "]":
                element = (*inner.path, inner.count)
                inner.count += 1
                self._record(element, self.at)
                self._enter(element, stack)
            else:
                self._enter(self._assignment(inner.path), stack)

    def _enter(self, path: KeyPath, stack: list[_Open]) -> None:
        """Passes over a scalar, or opens an array or inline table."""
        self._skip(_BLANK)
        if self.text.startswith(("[", "{"), self.at):
            stack.append(_Open(path, "]" if self.text[self.at] == "[" else "}"))
            self.at += 1
            return
        pattern = next((known for quote, known in _STRINGS.items() if self.text.startswith(quote, self.at)), _SCALAR)
        match = pattern.match(self.text, self.at)
        if match is None or match.end() == self.at:
            raise _Stop
        self.at = match.end()


def _unescaped(quoted: str) -> str:
    try:
        return str(tomllib.loads(f"key = {quoted}")["key"])
    except ValueError:
        raise _Stop from None
