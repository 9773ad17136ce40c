"""Reads the two kinds of answer that have a form: files that would be touched, and findings of a review. Pure.

An answer is hostile text. What comes out is escaped, bounded, and never looked up anywhere.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Literal

from runner.escape import escape_text
from runner.model.base import Record
from runner.model.paths import WORKSPACE

MOST_TEXT = 1024 * 1024
"""Characters of an answer that are read: the last ones."""
MOST_PATHS = 1000
MOST_PATH = 1024
MOST_FINDINGS = 200
MOST_SENTENCE = 2000
PATHS = "paths"
FINDINGS = "findings"
NOTHING = "none"

# Nothing is given back: an agent's answer may be one line of tildes.
_FENCE = re.compile(r" {0,3}(`{3,}+|~{3,}+)[ \t]*+([^`]*+)")
_BULLET = re.compile(r"[-*+] +")
_FINDING = re.compile(r"(high|medium|low)[ \t]+([^ \t:]{1,1024})(?::([0-9]{1,7}))?(?:-[0-9]{1,7})?:[ \t]+(.+)")

Severity = Literal["high", "medium", "low", "unknown"]
SEVERITIES: dict[str, Severity] = {"high": "high", "medium": "medium", "low": "low"}


class Finding(Record):
    """One thing that a reviewer found; its texts are the reviewer's, escaped."""

    severity: Severity
    path: str = ""
    """Empty where it belongs to no file."""
    line: int | None = None
    text: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.path and self.line is not None else self.path
        return " ".join(filter(None, (self.severity, place))) + f": {self.text}"


def touched_files(answer: str) -> tuple[str, ...]:
    """The paths in the last fenced block called `paths`, or else in the last one: relative, each once, in their order.

    Absolute paths elsewhere, paths that lead out and what is no path are left out; so is what is too long or too much.
    """
    paths = dict.fromkeys(filter(None, map(_path, _block(answer, PATHS))))
    return tuple(list(paths)[:MOST_PATHS])


def findings(answer: str) -> tuple[Finding, ...] | None:
    """What a review found, from the last fenced block called `findings`, or else the last one; `()` for its `none`.

    `None`: the answer has no such block or nothing in it, so that nobody knows. A line without the form counts too.
    """
    lines = [line for line in _block(answer, FINDINGS) if line.strip()]
    if not lines:
        return None
    if len(lines) == 1 and _bare(lines[0]).rstrip(".").lower() == NOTHING:
        return ()
    found: list[Finding] = []
    for line in lines[:MOST_FINDINGS]:
        if found and line.startswith(("  ", "\t")):
            found[-1] = found[-1].model_copy(update={"text": _sentence(f"{found[-1].text} {line.strip()}")})
        else:
            found.append(_finding(_bare(line)))
    return tuple(found)


def _block(answer: str, name: str) -> list[str]:
    """The lines of the last fenced block of that name, else of the last one at all; a block may lack its end."""
    blocks = list(_blocks(answer[-MOST_TEXT:]))
    named = [lines for info, lines in blocks if info.split(" ")[0].lower() == name]
    return named[-1] if named else blocks[-1][1] if blocks else []


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """What follows each opening fence, and the lines up to its end, as Markdown has it."""
    fence, info, lines = "", "", list[str]()
    for line in text.splitlines():
        mark = _FENCE.fullmatch(line.rstrip())
        if not fence:
            if mark:
                fence, info, lines = mark[1], mark[2].strip(), []
        elif mark and mark[1].startswith(fence) and not mark[2]:
            yield info, lines
            fence = ""
        else:
            lines.append(line)
    if fence:
        yield info, lines


def _path(line: str) -> str:
    """The path that a line names, escaped; empty if it names none."""
    text = _bare(line).strip("`'\"").removeprefix(f"{WORKSPACE}/")
    if not text or len(text) > MOST_PATH or text.startswith(("/", "~")):
        return ""
    path = posixpath.normpath(text)
    return "" if path in {".", ".."} or path.startswith("../") else escape_text(path)


def _bare(line: str) -> str:
    """A line without a bullet."""
    text = line.strip()
    bullet = _BULLET.match(text)
    return text[bullet.end() :] if bullet else text


def _finding(line: str) -> Finding:
    found = _FINDING.fullmatch(line[: 2 * MOST_SENTENCE])
    if found is None:
        return Finding(severity="unknown", text=_sentence(line))
    severity, path, number, text = found.groups()
    return Finding(
        severity=SEVERITIES[severity], path=_path(path), line=int(number) if number else None, text=_sentence(text)
    )


def _sentence(text: str) -> str:
    return escape_text(text[:MOST_SENTENCE])[:MOST_SENTENCE]
