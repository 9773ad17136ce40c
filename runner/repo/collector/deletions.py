"""Keeps `git add` from taking deleted files out of the index one by one, for which it needs quadratic time."""

from __future__ import annotations

import os
import struct

from repository import Repository

MANY = 10_000
"""So many take git half a second; a million would take it an hour."""


def forget_deleted(repository: Repository, seen: int) -> None:
    """Write the index anew without files that are gone, if these are many; `seen` entries are in the work tree.

    Raises StepError.
    """
    index = repository.path + b"/index"
    if count_entries(index) - seen < MANY:
        return
    top = repository.places.workspace + b"/"
    entries = repository.git("ls-files", "-s", "-z").split(b"\0")
    there = [entry for entry in entries if entry and os.path.lexists(top + entry.partition(b"\t")[2])]
    os.unlink(index)
    repository.git("update-index", "-z", "--index-info", stdin=b"".join(entry + b"\0" for entry in there))


def count_entries(index: bytes) -> int:
    """How many entries an index has, from its head; a missing one has none."""
    try:
        with open(index, "rb") as stream:
            head = stream.read(12)
    except FileNotFoundError:
        return 0
    return int(struct.unpack(">I", head[8:])[0]) if len(head) == 12 else 0
