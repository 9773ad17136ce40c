"""Keeps what a sandbox wrote from being taken for a command by the CI system that reads Paddock's output as its log.

GitHub, Gitea and Forgejo obey lines that begin with `::`, Azure Pipelines `##vso[` and GitHub `##[` anywhere in a line,
TeamCity `##teamcity[`: such a line sets variables and paths of later steps, hides text, or ends the log. GitLab folds
away what stands behind `section_start:`.
"""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from typing import Any, BinaryIO, TextIO

# Whitespace that the readers strip is more than ASCII has, so everything that prints nothing in ASCII counts as such.
_MARK = re.compile(rb"##[A-Za-z]{0,20}(?=\[)|section_(?:start|end)(?=:)")
_MARK_IN_JSON = re.compile(r"(##[A-Za-z]{0,20})\[")
_SECTION_IN_JSON = re.compile(r"(section_(?:start|end)):")
_FIRST = re.compile(rb"[^\x21-\x7e\r\n]*:(?=:)")
_LATER = re.compile(rb"[\r\n][^\x21-\x7e\r\n]*:(?=:)")
_TAIL = 23
"""Bytes: the longest mark without its bracket."""


class CommandBreaker:
    """Puts a space into each command of a stream, whatever its pieces are cut at. Nothing is held back."""

    def __init__(self) -> None:
        self._tail = b""
        self._line = "blank"
        """What the line holds so far: `blank`, `colon` (and nothing before it), or `text`."""

    def feed(self, data: bytes) -> bytes:
        """One piece, with its commands broken up."""
        if not data:
            return data
        places = {match.end() - len(self._tail) for match in _MARK.finditer(self._tail + data)}
        places |= {match.end() for match in _LATER.finditer(data)}
        if self._line == "colon" and data[:1] == b":":
            places.add(0)
        elif self._line == "blank" and (match := _FIRST.match(data)):
            places.add(match.end())
        self._remember(data)
        pieces, at = [], 0
        for place in sorted(place for place in places if place >= 0):
            pieces.append(data[at:place])
            at = place
        return b" ".join([*pieces, data[at:]])

    def _remember(self, data: bytes) -> None:
        self._tail = (self._tail + data[-_TAIL:])[-_TAIL:]
        last = max(data.rfind(b"\n"), data.rfind(b"\r"))
        line = "blank" if last >= 0 else self._line
        rest = data[last + 1 :]
        if rest and line == "blank":
            words = rest.translate(None, _UNPRINTED)
            line = "blank" if not words else "colon" if words == b":" and rest.endswith(b":") else "text"
        elif rest:
            line = "text"
        self._line = line


_UNPRINTED = bytes(code for code in range(256) if not 0x21 <= code <= 0x7E)


class LogStream(io.BufferedIOBase):
    """Writes to `inner` what is no command."""

    def __init__(self, inner: BinaryIO, breaker: CommandBreaker) -> None:
        self.inner = inner
        self._breaker = breaker

    def writable(self) -> bool:
        """As it is."""
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        """All of it, its commands broken up."""
        self.inner.write(self._breaker.feed(bytes(data)))
        return len(data)

    def flush(self) -> None:
        """Of what is below."""
        self.inner.flush()

    def fileno(self) -> int:
        """Of what is below."""
        return self.inner.fileno()

    def isatty(self) -> bool:
        """Of what is below."""
        return self.inner.isatty()


def guard_streams() -> None:
    """Break up commands in both standard streams from now on, but for one that is a file: nobody reads that along.

    After `2>&1` the two are one: half a command from each would be a whole one.
    """
    breaker, other = CommandBreaker(), CommandBreaker()
    if os.path.samestat(os.fstat(sys.stdout.fileno()), os.fstat(sys.stderr.fileno())):
        other = breaker
    sys.stdout, sys.stderr = _guarded(sys.stdout, breaker), _guarded(sys.stderr, other)


def _guarded(stream: TextIO, breaker: CommandBreaker) -> TextIO:
    below: Any = stream.buffer
    if isinstance(below, LogStream) or stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return stream
    log: Any = LogStream(below, breaker)
    return io.TextIOWrapper(log, stream.encoding, "backslashreplace", write_through=True)


def exact(stream: TextIO) -> BinaryIO:
    """The bytes below a stream, as they are: for a patch, which has to be applied."""
    buffer: Any = stream.buffer
    below: BinaryIO = buffer.inner if isinstance(buffer, LogStream) else buffer
    return below


def json_without_commands(document: str) -> str:
    """The same document, in which no command of a CI system can be read."""
    return _SECTION_IN_JSON.sub(r"\1\\u003a", _MARK_IN_JSON.sub(r"\1\\u005b", document))
