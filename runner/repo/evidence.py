"""What is known about the work that came out: the collector's report, and what git said about the quarantine.

Pure: data. `runner.repo.listings` reads it from what git prints, `runner.repo.inspection` fills it in,
`runner.repo.gates` judges it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from runner.escape import escape_text, is_plain
from runner.model.artifact import MOST_BYTES, MOST_BYTES_TOGETHER, MOST_FILES, ArtifactName, same_name
from runner.model.base import Record

Escaped = Annotated[str, StringConstraints(max_length=20_000), AfterValidator(escape_text)]
"""Text of a sandbox: whatever it was, it can be printed."""

Count = Annotated[int, Field(ge=0, le=10**9)]
ObjectId = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
BundleRef = Annotated[str, StringConstraints(pattern=r"^refs/paddock/(primary|other/[0-9]{1,3})$")]
PRIMARY_REF = "refs/paddock/primary"


def _branch_name(name: str) -> str:
    odd = not is_plain(name) or any(c in " ~^:?*[\\" for c in name) or ".." in name or "@{" in name
    parts = name.split("/")
    odd = odd or len(name.encode("utf-8", "replace")) > 200
    if name and (odd or name.startswith("-") or any(not p or p[0] == "." or p.endswith((".", ".lock")) for p in parts)):
        raise ValueError("not a branch name that we accept")
    return name


BranchName = Annotated[str, StringConstraints(max_length=200), AfterValidator(_branch_name)]


class Problem(Record):
    """Something that collection met: a stable code for the gates, a text for people."""

    code: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,40}$")]
    text: Escaped


class CarriedFile(Record):
    """A file that is handed over beside the commits; it stands in `artifacts/` under its number in the report."""

    name: ArtifactName
    size: Annotated[int, Field(ge=0, le=MOST_BYTES)]


def _one_file_each(files: tuple[CarriedFile, ...]) -> tuple[CarriedFile, ...]:
    if len({same_name(file.name) for file in files}) != len(files):
        raise ValueError("two artifacts have the same name")
    if len(files) > MOST_FILES or sum(file.size for file in files) > MOST_BYTES_TOGETHER:
        raise ValueError("there are more artifacts than were asked for")
    return files


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
    branches: Annotated[tuple[CarriedBranch, ...], Field(max_length=100), AfterValidator(_distinct)]
    left: tuple[LeftBranch, ...]
    deleted: tuple[Escaped, ...]
    odd_refs: Count
    odd_names: tuple[Escaped, ...]
    other_refs: Count
    stash: bool
    uncommitted: bool
    salvaged: bool
    problems: tuple[Problem, ...]
    notes: tuple[Escaped, ...]
    artifacts: Annotated[tuple[CarriedFile, ...], AfterValidator(_one_file_each)] = ()

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
    committer: str = ""
    authored: int | None = None
    committed: int | None = None
    """Seconds since 1970, as the commit says; None where it says none."""
    encoding: str = ""
    """In which its texts are said to be; empty for UTF-8."""
    claims: tuple[str, ...] = ()
    """Trailers that say what others did, as in `Reviewed-by: Ada <ada@example.com>`: the first of them."""
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
    old_sha: str = ""
    size: int | None = None
    """Of the new content, in bytes."""
    target: bytes | None = None
    """Where a symlink points; None when this is none, or its target is too long to be one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that was added in a line of a file, told without its text."""

    kind: str
    path: bytes
    line: int
    commit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What was found in the lines that new commits add."""

    secrets: tuple[Finding, ...] = ()
    pointers: tuple[Finding, ...] = ()
    """Git LFS pointers."""
    hidden: tuple[Finding, ...] = ()
    """Characters that are not shown, or turn around how others are."""
    unread: str = ""
    """Why not all of the lines were looked at; empty when they were."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when the agent worked, in seconds since 1970."""

    begun: int
    ended: int


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
    spellings: tuple[tuple[bytes, ...], ...] = ()
    """Added paths with others of the tree that some file system takes for the same."""

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
    added: Added = Added()
    past: tuple[tuple[str, int], ...] = ()
    """Ids and sizes of large objects that came in, also of those that are in no tree any more."""
    people: frozenset[str] = frozenset()
    """Names and addresses in the user's own history, in small letters; looked up where they matter alone."""
    span: Span | None = None
