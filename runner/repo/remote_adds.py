r"""Finds what a Dockerfile has the engine itself fetch: `ADD https://...`.

The engine fetches it from the host's own network, whatever network a build is given (seen with 20.10: an ADD of a
server on the host's loopback, in a build without a network). So it is refused; a RUN has the build's network alone.

This is wider than the engine's own reading, so that no spelling of its passes for something else. It does not follow
where an instruction begins: it looks at every line that begins with ADD, be its letters joined over lines
(`A\`, `DD http://x`). A source is fine only if it is plainly a path: `http:\//x`, "ht"tp://x, $URL and
["http:\u002f/x"] are URLs, too.
"""

from __future__ import annotations

import re

_BLANK = r"[^\S\n]"
_JOIN = rf"[\\`]{_BLANK}*+\n(?:{_BLANK}*+(?:#[^\n]*+)?\n)*+{_BLANK}*+"
"""The end of a line that goes on in the next one, with the comments and empty lines between them."""


def _word(letters: str) -> str:
    return f"(?:{_JOIN})*+".join(letters)


_ADD = re.compile(
    rf"^(?:{_BLANK}|\ufeff)*+(?:{_word('ONBUILD')}(?:{_BLANK}|{_JOIN})++)*+{_word('ADD')}(?=\s|\[|{_JOIN}|\Z)",
    re.IGNORECASE | re.MULTILINE,
)
_REST = re.compile(rf"(?:{_JOIN}|[^\n])*+")
_FLAG = re.compile(r"\s*--[a-z]+=[A-Za-z0-9_./:,=-]*(?=\s)")
LONGEST = 2048
_ODD = re.compile(r"[:$\\`']|//")


def remote_add(dockerfile: bytes) -> str:
    """The first ADD that might fetch something, joined to one line; empty where all sources are plainly paths.

    One that is too long for anybody to read counts as well.
    """
    text = dockerfile.decode("utf-8", "surrogateescape")
    for add in _ADD.finditer(text):
        rest = _REST.match(text, add.end(), add.end() + LONGEST)
        sources = re.sub(_JOIN, "", rest[0]) if rest else ""
        if _ODD.search(_without_flags(sources)) or (rest and len(rest[0]) == LONGEST):
            return f"ADD{sources.rstrip()}"
    return ""


def _without_flags(sources: str) -> str:
    """What follows `--chown=1:2` and its like, whose colons are none of a URL."""
    while flag := _FLAG.match(sources):
        sources = sources[flag.end() :]
    return sources
