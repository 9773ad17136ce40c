"""The last step: new branches in the user's repository, all of them or none, and nothing else of it changes."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.errors import GitError
from runner.model.identity import Identity
from runner.repo.evidence import CollectorReport
from runner.repo.git import GitCommand, pipe_git, run_git
from runner.repo.quarantine import Quarantine

BRANCH_SPACE = "refs/heads/paddock/"
UNPACK_LIMIT = 500
"""Up to so many objects become loose files, as `git fetch` does with 100; more stay a pack."""

MAX_NAME_PART = 150
"""Bytes: with a run's id before it, a number and git's `.lock` after it, it is still the name of a file."""

_COMMITTER = {"GIT_COMMITTER_NAME": "paddock", "GIT_COMMITTER_EMAIL": "paddock@localhost"}


def name_branches(run: str, report: CollectorReport) -> dict[str, str]:
    """Bundle ref -> the ref that it becomes: `paddock/RUN` for the checked-out branch, `paddock/RUN+NAME` for others.

    Names that could not stand beside each other (`a` and `a/b`, or `A` and `a` on some file systems) get a number;
    one that no file may have is cut.
    """
    named: dict[str, str] = {}
    taken: set[str] = set()
    for branch in report.branches:
        plain = f"{BRANCH_SPACE}{run}"
        if branch is not report.primary():
            plain += "/".join(map(_fitting, f"+{branch.inside or 'detached'}".split("/")))
        name, number = plain, 1
        while any(_collide(name.casefold(), other) for other in taken):
            number += 1
            name = f"{BRANCH_SPACE}{plain.removeprefix(BRANCH_SPACE).replace('/', '-')}-{number}"
        taken.add(name.casefold())
        named[branch.ref] = name
    return named


def _fitting(part: str) -> str:
    """A part of a name, short enough for a file's: one branch that cannot be made would keep all of them out."""
    data = part.encode()
    return part if len(data) <= MAX_NAME_PART else data[:MAX_NAME_PART].decode("utf-8", "ignore") + "-cut"


def _collide(one: str, other: str) -> bool:
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")


def import_branches(  # noqa: PLR0913 - each is a word of its own at the call
    quarantine: Quarantine,
    target: Path,
    *,
    refs: Mapping[str, str],
    exclude: Sequence[str],
    owner: Identity | None = None,
    deadline: float = 300.0,
) -> None:
    """Create `refs` (full name -> commit) in the repository at `target`, which already has the commits of `exclude`.

    git runs there as `owner`. The refs appear in one transaction that demands that none of them exists; when it fails,
    GitError says why and no ref has moved. One that stands at its commit already was made by a Paddock that died then,
    and is as it should be. Hooks are off; HEAD, index, work tree and configuration are not touched.
    """
    asked = "".join(f"{line}\n" for line in [*refs.values(), *(f"^{sha}" for sha in exclude)])
    producer = GitCommand(
        argv=("pack-objects", "--revs", "--stdout", "--thin", "--delta-base-offset", "-q"),
        git_dir=quarantine.git_dir,
        stdin=asked.encode("ascii"),
    )
    small = _object_count(quarantine) <= UNPACK_LIMIT
    argv = ("unpack-objects", "-q") if small else ("index-pack", "--stdin", "--fix-thin")
    pipe_git(producer, GitCommand(argv=argv, git_dir=target, user=owner), deadline=deadline)
    refusal = _make_refs(target, refs, set(), owner)
    if refusal and (standing := _standing(target, refs, owner)):
        refusal = _make_refs(target, refs, standing, owner)
    if refusal:
        raise _refusal(refusal)


def _make_refs(target: Path, refs: Mapping[str, str], standing: set[str], owner: Identity | None) -> str:
    """One transaction, in which those that stand already have to go on standing there; why it failed, or nothing."""
    lines = "".join(f"{'verify' if ref in standing else 'create'} {ref} {sha}\n" for ref, sha in refs.items())
    said = run_git(
        ["update-ref", "--stdin", "-m", "paddock: collected"],
        git_dir=target,
        stdin=f"start\n{lines}prepare\ncommit\n".encode(),
        environment=_COMMITTER,
        user=owner,
        check=False,
    )
    return said.stderr or "git update-ref failed" if said.exit_code != 0 else ""


def _standing(target: Path, refs: Mapping[str, str], owner: Identity | None) -> set[str]:
    """Those of `refs` that stand at their commits already."""
    argv = ["for-each-ref", "--format=%(refname) %(objectname)", *refs]
    lines = run_git(argv, git_dir=target, user=owner).stdout.decode("utf-8", "surrogateescape").splitlines()
    return {ref for ref, sha in refs.items() if f"{ref} {sha}" in lines}


def _refusal(stderr: str) -> GitError:
    exists = re.search(r"cannot lock ref '([^']+)': reference already exists", stderr)
    if exists:
        return GitError(f"{exists[1]} exists already; no branch was moved", hint="remove it or rename it")
    inside = re.search(r"'([^']+)' exists; cannot create '([^']+)'", stderr)
    if inside:
        message = f"{inside[1]} exists, so {inside[2]} cannot be made; no branch was moved"
        return GitError(message, hint=f"rename the branch {inside[1].removeprefix('refs/heads/')}")
    return GitError(f"the branches could not be made: {stderr[-500:]}")


def _object_count(quarantine: Quarantine) -> int:
    """How many objects came in, from the heads of the packs that git wrote here."""
    count = 0
    for pack in (quarantine.git_dir / "objects/pack").glob("*.pack"):
        with pack.open("rb") as stream:
            head = stream.read(12)
        count += struct.unpack(">I", head[8:])[0] if len(head) == 12 else 0
    return count
