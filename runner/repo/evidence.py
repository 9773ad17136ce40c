"""What is known about the work that came out: the collector's report, and what git said about the quarantine.

Pure: data and parsers of hostile bytes. `runner.repo.inspection` fills it in, `runner.repo.gates` judges it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AfterValidator, StringConstraints

from runner.escape import escape_text, is_plain
from runner.model.base import Record

Escaped = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(escape_text)]
"""Text of a sandbox: whatever it was, it can be printed."""

ObjectId = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
BundleRef = Annotated[str, StringConstraints(pattern=r"^refs/paddock/(primary|other/[0-9]{1,3})$")]
PRIMARY_REF = "refs/paddock/primary"


def _branch_name(name: str) -> str:
    odd = not is_plain(name) or any(c in " ~^:?*[\\" for c in name) or ".." in name or "@{" in name
    parts = name.split("/")
    if name and (odd or name.startswith("-") or any(not p or p[0] == "." or p.endswith((".", ".lock")) for p in parts)):
        raise ValueError("not a branch name that we accept")
    return name


BranchName = Annotated[str, StringConstraints(max_length=200), AfterValidator(_branch_name)]


class Problem(Record):
    """Something that collection met: a stable code for the gates, a text for people."""

    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,40}$")]
    text: Escaped


class HeadState(Record):
    """Where the agent's HEAD was."""

    kind: Literal["branch", "detached", "unborn", "unreadable"]
    name: Escaped


class CarriedBranch(Record):
    """A branch that is in the bundle. `inside` is empty for a detached HEAD."""

    inside: BranchName
    ref: BundleRef
    sha: ObjectId
    before: ObjectId | None


class LeftBranch(Record):
    """A branch that moved and is not in the bundle, and why."""

    inside: Escaped
    sha: ObjectId
    reason: Escaped
    holds_work: bool = True
    """Whether something is in it that is in no collected branch."""


def _distinct(branches: tuple[CarriedBranch, ...]) -> tuple[CarriedBranch, ...]:
    for attribute in ("ref", "inside"):
        if len({getattr(branch, attribute) for branch in branches}) != len(branches):
            raise ValueError(f"two branches have the same {attribute}")
    return branches


class CollectorReport(Record):
    """report.json, version 1, as the collector container wrote it: hostile, hence closed and bounded."""

    version: Literal[1]
    head: HeadState
    branches: Annotated[tuple[CarriedBranch, ...], AfterValidator(_distinct)]
    left: tuple[LeftBranch, ...]
    deleted: tuple[Escaped, ...]
    odd_refs: int
    odd_names: tuple[Escaped, ...]
    other_refs: int
    stash: bool
    uncommitted: bool
    salvaged: bool
    problems: tuple[Problem, ...]
    notes: tuple[Escaped, ...]

    def left_out(self) -> Iterator[str]:
        """What stayed in the workspace, or may have: as long as there is any, the workspace may not go."""
        yield from (f"{left.inside}: {left.reason}" for left in self.left if left.holds_work)
        yield from (problem.text for problem in self.problems)

    def primary(self) -> CarriedBranch | None:
        """The branch that was checked out, if it moved."""
        return next((branch for branch in self.branches if branch.ref == PRIMARY_REF), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit of the agent's. Texts are escaped."""

    sha: str
    parents: tuple[str, ...]
    author: str
    subject: str
    signatures: dict[str, int] = field(default_factory=dict)
    """Header -> how often it stands there (gpgsig, gpgsig-sha256, mergetag)."""
    files: int = 0
    insertions: int = 0
    deletions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One path that differs between where the agent began and where it ended."""

    path: bytes
    status: str
    """A(dded), D(eleted), M(odified), T(ype changed)."""
    old_mode: int
    new_mode: int
    """0 when there is nothing; 0o120000 a symlink, 0o160000 a link to a commit of another repository."""
    sha: str
    size: int | None = None
    """Of the new content, in bytes."""
    target: bytes | None = None
    """Where a symlink points; None when this is none, or its target is too long to be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchEvidence:
    """One collected branch, from where the agent began to its tip."""

    inside: str
    ref: str
    """Its name in the bundle and in the quarantine."""
    head: str
    descends: bool
    """Whether the commit that the agent was given is an ancestor of `head`."""
    commits: tuple[Commit, ...]
    """Oldest first."""
    changes: tuple[Change, ...]

    @property
    def primary(self) -> bool:
        """Whether it was the checked-out one."""
        return self.ref == PRIMARY_REF


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that the gates look at."""

    start: str
    report: CollectorReport
    bundle_size: int
    """Bytes; 0 when there is none."""
    branches: tuple[BranchEvidence, ...]
    problems: tuple[Problem, ...] = ()
    """The collector's and the host's."""


class ListingError(ValueError):
    """git printed something that its documentation does not have."""


_SIGNATURE_HEADERS = (b"gpgsig", b"gpgsig-sha256", b"mergetag")
_IDENT_TAIL = re.compile(rb" -?\d+ [+-]\d+$")
SUBJECT_KEPT = 500


def parse_commit(sha: str, raw: bytes) -> Commit:
    """One raw commit object. Never fails: what is missing is empty."""
    head, _, message = raw.partition(b"\n\n")
    parents: list[str] = []
    author = b""
    signatures: dict[str, int] = {}
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"parent":
            parents.append(value.decode("ascii", "replace"))
        elif key == b"author" and not author:
            author = _IDENT_TAIL.sub(b"", value)
        elif key in _SIGNATURE_HEADERS:
            signatures[key.decode()] = signatures.get(key.decode(), 0) + 1
    subject = message.lstrip(b"\n").partition(b"\n")[0][:SUBJECT_KEPT]
    return Commit(
        sha=sha,
        parents=tuple(parents),
        author=escape_text(author[:SUBJECT_KEPT]),
        subject=escape_text(subject).strip(),
        signatures=signatures,
    )


def parse_batch(output: bytes) -> dict[str, bytes]:
    """Object id -> content, from `git cat-file --batch`; missing objects are left out."""
    found: dict[str, bytes] = {}
    at = 0
    while at < len(output):
        end = output.find(b"\n", at)
        words = output[at:end].split(b" ") if end >= 0 else []
        if len(words) == 2 and words[1] == b"missing":
            at = end + 1
            continue
        if len(words) != 3 or not words[2].isdigit():
            raise ListingError("git cat-file --batch said something unexpected")
        size = int(words[2])
        found[words[0].decode("ascii", "replace")] = output[end + 1 : end + 1 + size]
        at = end + 1 + size + 1
    return found


def parse_raw_diff(output: bytes) -> list[Change]:
    """The entries of `git diff-tree -r -z --raw --no-renames --no-abbrev`."""
    changes = []
    fields = output.split(b"\0")
    if fields.pop() != b"" or len(fields) % 2:
        raise ListingError("git diff-tree --raw stopped in the middle")
    for info, path in zip(fields[::2], fields[1::2], strict=True):
        words = info.split(b" ")
        if len(words) != 5 or not words[0].startswith(b":"):
            raise ListingError("git diff-tree --raw said something unexpected")
        changes.append(
            Change(
                path=path,
                status=words[4].decode("ascii", "replace"),
                old_mode=int(words[0][1:], 8),
                new_mode=int(words[1], 8),
                sha=words[3].decode("ascii", "replace"),
            )
        )
    return changes


def parse_numstats(output: bytes, shas: list[str]) -> dict[str, tuple[int, int, int]]:
    """Commit -> (files, insertions, deletions), from `git diff-tree --stdin -r -z --numstat --no-renames`.

    Every entry of a file has two tabs before its name, and a commit's line has none, so no file name can pass for a
    commit. Binary files count without lines.
    """
    stats = dict.fromkeys(shas, (0, 0, 0))
    current = ""
    for entry in output.split(b"\0"):
        added, tab, rest = entry.partition(b"\t")
        if not tab:
            current = entry.decode("ascii", "replace").strip() or current
            continue
        if current not in stats:
            raise ListingError("git diff-tree --numstat named a commit that was not asked for")
        files, plus, minus = stats[current]
        stats[current] = (files + 1, plus + _lines(added), minus + _lines(rest.partition(b"\t")[0]))
    return stats


def _lines(number: bytes) -> int:
    return int(number) if number.isdigit() else 0
