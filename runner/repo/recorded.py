"""What a repository says of commits that a record names: plumbing commands alone, and no content is looked at.

git runs in the user's own repository, as its owner. A branch's content has no say: neither attributes nor any file of
it are read. Replacements, grafts and the commit graph, which could show another history, are left out.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import RepositoryError
from runner.model.identity import Identity
from runner.repo.git import GitOutput, run_git
from runner.repo.layout import READ_ENVIRONMENT, existing_directory, find_layout, git_user, owner_of, reason_of, shown

_ODD = frozenset(" ~^:?*[\\")
_PLACES = ("refs/heads/", "refs/remotes/", "refs/tags/")


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """A repository of the user's, to be asked about commits."""

    path: Path
    git_dir: Path
    user: Identity | None

    def ref(self, name: str) -> tuple[str, str] | None:
        """Full name and id of the ref called `name`: whole, or below heads, remotes or tags. None if there is none."""
        if not name or name.startswith("-") or any(c in _ODD or ord(c) < 0x21 for c in name):
            return None
        wanted = [name] if name.startswith("refs/") else [place + name for place in _PLACES]
        said = self._ask("for-each-ref", "--format=%(objectname) %(refname)", *wanted)
        found = {ref: sha for sha, _, ref in (line.partition(" ") for line in os.fsdecode(said).splitlines())}
        return next(((ref, found[ref]) for ref in wanted if ref in found), None)

    def missing(self, commits: Sequence[str]) -> list[str]:
        """Those of the ids that are no commits here."""
        if not commits:
            return []
        asked = "".join(f"{sha}\n" for sha in commits).encode()
        said = self._ask("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=asked)
        lines = said.decode("ascii", "replace").splitlines()
        there = {line.removesuffix(" commit") for line in lines if line.endswith(" commit")}
        return [sha for sha in commits if sha not in there]

    def between(self, base: str, head: str) -> Collection[str] | None:
        """The commits of `head` that are not of `base`; None where `base` is no ancestor. Both have to be there."""
        said = self._run("merge-base", "--is-ancestor", base, head)
        if said.exit_code == 1:
            return None
        if said.exit_code != 0:
            raise RepositoryError(f"{shown(self.path)} cannot tell what {head} builds on: {reason_of(said)}")
        return frozenset(self._ask("rev-list", f"^{base}", head, "--").decode("ascii", "replace").split())

    def _run(self, *argv: str, stdin: bytes | None = None) -> GitOutput:
        return run_git(
            ["-c", "core.commitGraph=false", *argv],
            git_dir=self.git_dir,
            stdin=stdin,
            environment=READ_ENVIRONMENT,
            user=self.user,
            check=False,
        )

    def _ask(self, *argv: str, stdin: bytes | None = None) -> bytes:
        said = self._run(*argv, stdin=stdin)
        if said.exit_code != 0:
            raise RepositoryError(f"{shown(self.path)} cannot be asked about its commits: {reason_of(said)}")
        return said.stdout


def open_repository(path: str, *, effective_uid: int) -> Repository:
    """The repository that `path` is in. Raises RepositoryError for one that is not whoever asks's own."""
    place = existing_directory(path)
    user = git_user(owner_of(place, effective_uid), effective_uid)
    layout = find_layout(place, user)
    return Repository(path=layout.path, git_dir=layout.git_dir, user=user)
