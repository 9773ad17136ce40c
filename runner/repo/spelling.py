"""How file systems read names: which they take for `.git`, which for the same, and where a symlink leads. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# What HFS+ ignores in names: `.g<U+200C>it` is `.git` there.
_HFS_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")

_WORD = re.compile(r"[^\W\d_]+")


def means_git(part: str) -> bool:
    """Whether some file system takes this name for `.git`."""
    name = _HFS_IGNORED.sub("", part).lower().partition(":")[0].rstrip(". ")
    return name in (".git", "git~1")


def fold(path: bytes) -> bytes:
    """What a path is where neither capitals nor the way to write an accent count, as on macOS and Windows."""
    if path.isascii():
        return path.lower()
    text = _HFS_IGNORED.sub("", path.decode("utf-8", "surrogateescape"))
    # Unicode 3.13, D145: canonical caseless matching.
    text = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return text.encode("utf-8", "surrogateescape")


def spellings(added: Iterable[bytes], listing: bytes) -> tuple[tuple[bytes, ...], ...]:
    """Groups of names of the tree that are one where capitals do not count, as far as an added path is among them.

    `listing` has every path of the tree, folders too, each with a NUL at its end. Of folders that are one, what is in
    them is not listed once more.
    """
    wanted = {folded for path in added for folded in _prefixes(fold(path))}
    groups: dict[bytes, list[bytes]] = {}
    for path in listing.split(b"\0")[:-1]:
        folded = path.lower() if path.isascii() else fold(path)
        if folded in wanted:
            groups.setdefault(folded, []).append(path)
    several = {folded for folded, paths in groups.items() if len(paths) > 1}
    return tuple(
        tuple(groups[folded]) for folded in sorted(several) if not several & set(_prefixes(folded.rpartition(b"/")[0]))
    )


def _prefixes(path: bytes) -> Iterable[bytes]:
    """A path and the folders above it: `a/b`, `a`."""
    while path:
        yield path
        path = path.rpartition(b"/")[0]


def mixes_scripts(part: str) -> bool:
    """Whether one word has Latin letters beside Greek or Cyrillic ones, many of which look the same."""
    if part.isascii():
        return False
    words = ({unicodedata.name(each, "").partition(" ")[0] for each in word} for word in _WORD.findall(part))
    return any("LATIN" in scripts and scripts & {"CYRILLIC", "GREEK"} for scripts in words)


def leaves(path: bytes, target: bytes) -> str:
    """Why a symlink at `path` leads somewhere that it should not; nothing when it stays inside."""
    if target.startswith(b"/") or re.match(rb"[A-Za-z]:|[\\]", target):
        return "absolute"
    place = path.split(b"/")[:-1]
    for part in target.replace(b"\\", b"/").split(b"/"):
        if part == b"..":
            if not place:
                return "leaves the work tree"
            place.pop()
        elif part not in (b"", b"."):
            place.append(part)
    inside_git = any(means_git(part.decode("utf-8", "surrogateescape")) for part in place)
    return "leads into .git" if inside_git else ""
