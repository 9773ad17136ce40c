"""Reads the policy that a repository brings from one of its commits: never from a work tree, and through no link."""

from __future__ import annotations

from dataclasses import dataclass

from runner.errors import GitError, RepositoryError
from runner.escape import escape_text
from runner.repo.base_tree import KINDS, Entry, brings_settings, list_entries, read_entries
from runner.repo.source import Source

FOLDER = ".paddock"
PLACE = f"{FOLDER}/policy.toml"
TREE = "040000"
MOST_BYTES = 64 * 1024
WAY_OUT = "Correct it and commit it, or leave it out of this run with --no-repo-policy."


@dataclass(frozen=True, kw_only=True)
class OwnPolicy:
    """The bytes of the file, and the commit that they are from. Hostile text."""

    data: bytes
    commit: str


def read_own_policy(source: Source, *, effective_uid: int) -> OwnPolicy | None:
    """The policy of the base; None where the base has none.

    Raises `RepositoryError` for one that is no regular file or too large: what its author wanted is not known then.
    """
    try:
        if not brings_settings(source, effective_uid=effective_uid):
            return None
        entries = list_entries(source, (FOLDER,), effective_uid)
        if any(entry.mode == TREE for entry in entries):
            entries = list_entries(source, (PLACE,), effective_uid)
    except GitError as error:
        raise RepositoryError(
            f"The repository's policy in {source.base_sha[:12]} cannot be looked for: {error.message}", hint=WAY_OUT
        ) from error
    for entry in entries:
        if fault := _fault(entry):
            raise RepositoryError(f"{escape_text(entry.path)} in {source.base_sha[:12]} {fault}.", hint=WAY_OUT)
        if entry.path == PLACE:
            return OwnPolicy(data=read_entries(source, [entry], effective_uid)[entry.id], commit=source.base_sha)
    return None


def _fault(entry: Entry) -> str:
    """Why an entry cannot be what it is named; empty for a file at the file's place, and a folder at the folder's."""
    if entry.path == PLACE and entry.regular:
        return f"is larger than {MOST_BYTES // 1024} KiB, which no policy needs" if entry.size > MOST_BYTES else ""
    if entry.path == PLACE or entry.mode in {"120000", "160000"}:
        return f"is {KINDS.get(entry.mode, 'no regular file')}, and only a regular file is read"
    return ""
