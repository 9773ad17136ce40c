"""What stands in the tree of the commit that a run begins at, listed and read by git: never from the work tree."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from runner.errors import GitError, RepositoryError
from runner.model.identity import Identity
from runner.repo.git import MIB, GitOverflowError, run_git
from runner.repo.layout import READ_ENVIRONMENT
from runner.repo.source import Source

OWN = ".paddock/Dockerfile"
PLACES = (OWN, ".devcontainer/devcontainer.json", ".devcontainer.json")
"""Where a repository may offer an image; the first one that is there counts."""
TOPS = (".paddock", ".devcontainer", ".devcontainer.json")
"""What of the tree's top all of these, and a repository's own policy, lie in."""
MOST_FILES = 5000
LISTING = 4 * MIB
MODES = {"100644": 0o644, "100664": 0o644, "100755": 0o755}
SMALLER = "Give it a folder of its own with what the build needs, as .paddock/ is one."
KINDS = {"120000": "a symbolic link", "160000": "a submodule", "040000": "a folder"}


class Entry(NamedTuple):
    """One line of a tree's listing."""

    path: str
    mode: str
    id: str
    size: int

    @property
    def regular(self) -> bool:
        """Whether it is a file, and nothing that stands for another one."""
        return self.mode in MODES


def brings_settings(source: Source, *, effective_uid: int) -> bool:
    """Whether the base has any of the folders and files by which a repository can steer a run. Raises `GitError`."""
    return _has_any(source.git_dir, source.base_sha, source.user(effective_uid))


@lru_cache(maxsize=256)
def _has_any(git_dir: Path, commit: str, user: Identity | None) -> bool:
    """Of a commit this is true for ever; two parts of each run ask, and every task of a batch."""
    argv = ["ls-tree", "-z", "--full-tree", commit, "--", *TOPS]
    environment = {**READ_ENVIRONMENT, "GIT_LITERAL_PATHSPECS": "1"}
    return bool(run_git(argv, git_dir=git_dir, environment=environment, user=user).stdout)


def offered_at(source: Source, *, effective_uid: int) -> str:
    """The path at which the base offers an image; empty if it offers none. Its content is not looked at.

    Raises `GitError`.
    """
    if not brings_settings(source, effective_uid=effective_uid):
        return ""
    found = {entry.path for entry in list_entries(source, PLACES, effective_uid)}
    return next((place for place in PLACES if place in found), "")


def list_entries(source: Source, paths: Iterable[str], effective_uid: int, *, whole: bool = False) -> list[Entry]:
    """What of `paths` is in the base's tree, with all that is below if `whole`. Raises `GitError`."""
    argv = ["ls-tree", "-z", "-l", "--full-tree", *(["-r"] if whole else []), source.base_sha, "--", *paths]
    try:
        said = run_git(
            argv,
            git_dir=source.git_dir,
            environment={**READ_ENVIRONMENT, "GIT_LITERAL_PATHSPECS": "1"},
            user=source.user(effective_uid),
            max_output=LISTING,
        ).stdout
    except GitOverflowError:
        raise RepositoryError(f"The build context has more than {MOST_FILES} files.", hint=SMALLER) from None
    return [_entry(line) for line in said.split(b"\0") if line]


def _entry(line: bytes) -> Entry:
    words, _, path = line.partition(b"\t")
    mode, _kind, sha, size = words.decode("ascii", "replace").split()
    return Entry(os.fsdecode(path), mode, sha, int(size) if size.isdigit() else 0)


def read_entries(source: Source, entries: Iterable[Entry], effective_uid: int) -> dict[str, bytes]:
    """The bytes of every entry, by id; their sizes have been checked. Raises `GitError`, `RepositoryError`."""
    wanted = {entry.id: entry.size for entry in entries}
    said = run_git(
        ["cat-file", "--batch"],
        git_dir=source.git_dir,
        stdin="".join(f"{sha}\n" for sha in wanted).encode("ascii"),
        environment=READ_ENVIRONMENT,
        user=source.user(effective_uid),
        max_output=sum(wanted.values()) + 200 * (len(wanted) + 1),
    ).stdout
    from runner.repo.listings import ListingError, parse_batch  # few repositories bring files that are read here

    try:
        found = parse_batch(said)
    except ListingError as error:
        raise GitError(str(error)) from error
    if found.keys() != wanted.keys():
        raise RepositoryError(f"{source.shown} lacks files of its own commit.", hint="See what `git fsck` says.")
    return found
