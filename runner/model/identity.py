"""A user by number."""

from __future__ import annotations

from runner.model.base import Record


class Identity(Record):
    """A uid and a gid: who runs inside a sandbox, or who owns a repository."""

    uid: int
    gid: int
