"""Finds files by globs, without following a link: `*` and `?` stay within a name, `**` means folders at any depth."""

from __future__ import annotations

import fnmatch
import os
import re
import time
from collections.abc import Iterator

from dot_git import scan

ANY_DEPTH = "**"
MAX_PATH = 4_000
MAX_ENTRIES = 5_000_000

State = tuple[int, int]
"""A glob's number, and how many of its parts are matched so far."""


class Globs:
    """Globs side by side, matched part by part: the time is linear in the tree, whatever its names are."""

    def __init__(self, globs: list[str]) -> None:
        self.texts = globs
        parts = [[part for part in glob.split("/") if part not in {"", "."}] for glob in globs]
        self._parts = [
            [None if part == ANY_DEPTH else re.compile(fnmatch.translate(part)) for part in glob] for glob in parts
        ]

    def begin(self) -> frozenset[State]:
        """Where matching begins: at the top of the tree."""
        return self._closed({(number, 0) for number in range(len(self._parts))})

    def enter(self, states: frozenset[State], name: bytes) -> frozenset[State]:
        """Where it is below `name`; empty where nothing can match any more."""
        text = name.decode("utf-8", "surrogateescape")
        after: set[State] = set()
        for number, at in states:
            parts = self._parts[number]
            if at == len(parts) or (part := parts[at]) is None:  # a folder that was named, or `**`
                after.add((number, at))
            elif part.match(text):
                after.add((number, at + 1))
        return self._closed(after)

    def matched(self, states: frozenset[State]) -> set[int]:
        """Numbers of the globs that name what was entered last."""
        return {number for number, at in states if at == len(self._parts[number])}

    def _closed(self, states: set[State]) -> frozenset[State]:
        """`**` also stands for no folder at all."""
        for number, at in sorted(states):
            parts = self._parts[number]
            further = at
            while further < len(parts) and parts[further] is None:
                further += 1
                states.add((number, further))
        return frozenset(states)


class Search:
    """One walk over the work tree, by name within each folder, for as long as there is time."""

    def __init__(self, top: bytes, globs: Globs, deadline: float) -> None:
        self.top, self.globs, self.deadline = top, globs, deadline
        self.unmatched = set(range(len(globs.texts)))
        self.stopped = ""
        """Why not everything was looked at; empty when it was."""

    def files(self) -> Iterator[os.DirEntry[bytes]]:
        """Everything but folders that a glob names; of every `.git` nothing."""
        waiting = [(self.top, self.globs.begin())]
        seen = 0
        while waiting:
            folder, states = waiting.pop()
            below = []
            for entry in self._entries(folder):
                seen += 1
                inside = frozenset() if entry.name == b".git" else self.globs.enter(states, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    below += [(entry.path, inside)] if inside else []
                elif matched := self.globs.matched(inside):
                    self.unmatched -= matched
                    yield entry
                if seen > MAX_ENTRIES or time.monotonic() > self.deadline:
                    self.stopped = f"the search for artifacts ended after {seen} files and folders"
                    return
            waiting += reversed(below)

    def _entries(self, folder: bytes) -> list[os.DirEntry[bytes]]:
        try:
            if len(folder) > MAX_PATH:
                raise OSError("too deep")
            return sorted(scan(folder), key=lambda entry: entry.name)
        except OSError:
            self.stopped = self.stopped or "some folders are too deep or cannot be read, so artifacts may be missing"
            return []
