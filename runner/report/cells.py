"""Hostile text laid out in the cells of a terminal: escaped, wrapped and cut so that no line is wider than it may be.

A terminal breaks what is too wide, and what then begins at its left edge could look like a line of our own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import islice

from runner.escape import escape_text

LEAST_WIDTH = 20
"""Nothing is wrapped narrower than this: words are not readable in fewer cells."""
MOST_CHARACTERS = 20_000
"""Of one text; beyond that nobody reads it in a terminal."""
CUT = "... (cut here; the transcript has the rest)"


def readable(text: str) -> str:
    """The text escaped; its lines stay, and tabs become spaces."""
    return escape_text(text.replace("\r\n", "\n").expandtabs(4), newline=True)


def laid_out(text: str, *, width: int, most: int) -> Iterator[str]:
    """At most `most` wrapped lines of a text, and `CUT` where it has more. Blank text has none."""
    shown = readable(text[:MOST_CHARACTERS]).strip("\n").rstrip()
    if not shown:
        return
    lines = list(islice((piece for line in shown.split("\n") for piece in wrapped(line, width)), most + 1))
    yield from lines[:most]
    if len(lines) > most or len(text) > MOST_CHARACTERS:
        yield CUT


def wrapped(line: str, width: int) -> Iterator[str]:
    """A line, escaped before, in pieces of at most `width` cells; what follows is indented as the line was."""
    width = max(width, LEAST_WIDTH)
    spaces = len(line) - len(line.lstrip(" "))
    hanging = " " * spaces if spaces <= width // 2 else ""
    while (room := fitting(line, width)) < len(line):
        space = line.rfind(" ", max(len(hanging) + 1, room // 3), room + 1)
        end = space if space > 0 else room  # scripts without spaces are broken anywhere
        yield line[:end].rstrip(" ")
        line = hanging + line[end:].lstrip(" ")
    yield line.rstrip(" ")


def cut(line: str, width: int) -> str:
    """A line, escaped before, in at most `width` cells; the end of a longer one is three points."""
    width = max(width, LEAST_WIDTH)
    return line if fitting(line, width) == len(line) else line[: fitting(line, width - 3)] + "..."


def fitting(line: str, width: int) -> int:
    """How many characters of a line are in its first `width` cells."""
    used = 0
    for count, character in enumerate(line[: width + 1]):
        used += 1 if character.isascii() else cells(character)
        if used > width:
            return count
    return min(len(line), width + 1)


def cells(character: str) -> int:
    """How many cells a character takes. A mark above another one counts as one cell: too many is no harm."""
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
