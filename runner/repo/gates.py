"""What is checked before work reaches the user's repository: one table, and a small function for each line of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from runner.escape import escape_text, is_plain
from runner.model.quantities import format_size
from runner.model.result import GateResult, Verdict
from runner.repo.evidence import BranchEvidence, Change, Evidence
from runner.repo.later import runs_later

MAX_BUNDLE_SIZE = 1024**3
MAX_COMMITS = 5_000
MAX_CHANGED_FILES = 50_000
LARGE_FILE = 50 * 1024**2
MAX_DETAIL_LINES = 20

SYMLINK = 0o120000
GITLINK = 0o160000

STRUCTURE_PROBLEMS = frozenset(
    {
        "git-missing",
        "git-not-directory",
        "git-redirected",
        "git-reftable",
        "git-special-file",
        "git-unreadable",
        "objects-redirected",
        "objects-special-file",
        "too-many-objects",
        "ref-special-file",
        "ref-unreadable",
        "head-unreadable",
        "primary-unusable",
        "salvaged",
        "bundle-failed",
        "bundle-missing",
        "bundle-malformed",
        "bundle-refused",
        "report-malformed",
        "collector-failed",
        "too-large-to-read",
    }
)
"""Problems after which what came out is not what the agent had."""

REF_PROBLEMS = frozenset({"head-odd", "too-many-refs", "branch-unusable", "base-missing", "refs-unreadable"})
SIZE_PROBLEMS = frozenset({"bundle-too-large"})

STEERING_NAMES = frozenset({".gitmodules", ".gitattributes", ".gitignore", ".mailmap"})

Found = tuple[Verdict, str]
Check = Callable[[Evidence], Iterable[Found | str]]


def judge(evidence: Evidence) -> tuple[GateResult, ...]:
    """Every gate's word, in the order of the table; the passing ones too."""
    return tuple(_judge_one(name, usual, check, evidence) for name, (usual, check) in GATES.items())


def blocked(results: Iterable[GateResult]) -> bool:
    """Whether any gate keeps the work out of the user's repository."""
    return any(result.verdict is Verdict.BLOCKED for result in results)


def _judge_one(name: str, usual: Verdict, check: Check, evidence: Evidence) -> GateResult:
    found = [(usual, hit) if isinstance(hit, str) else hit for hit in check(evidence)]
    found.sort(key=lambda hit: hit[0] is not Verdict.BLOCKED)  # what blocks is read first
    lines = [escape_text(text) for _, text in found[:MAX_DETAIL_LINES]]
    if len(found) > MAX_DETAIL_LINES:
        lines.append(f"and {len(found) - MAX_DETAIL_LINES} more")
    return GateResult(name=name, verdict=found[0][0] if found else Verdict.PASSED, detail=tuple(lines))


def _show(branch: BranchEvidence, path: bytes) -> str:
    text = escape_text(path)
    return text if branch.primary else f"{text} (branch {branch.inside or 'of the detached HEAD'})"


def _present(evidence: Evidence) -> Iterator[tuple[BranchEvidence, Change]]:
    """Every path that was added or changed, and is there in the end."""
    return ((branch, change) for branch in evidence.branches for change in branch.changes if change.new_mode)


def _problems(evidence: Evidence, codes: frozenset[str]) -> Iterator[str]:
    return (problem.text for problem in evidence.problems if problem.code in codes)


# ---- what came out, as a whole


def structure(evidence: Evidence) -> Iterator[str]:
    """The agent's repository could not be read as what it was, or git refused what came out of it."""
    return _problems(evidence, STRUCTURE_PROBLEMS)


def ancestry(evidence: Evidence) -> Iterator[str]:
    """Every branch must build upon the commit that the agent was given."""
    for branch in evidence.branches:
        if not branch.descends:
            name = branch.inside or "the detached HEAD"
            yield f"{name} ({branch.head[:12]}) does not descend from {evidence.start[:12]}, where the agent began"


def bundle_size(evidence: Evidence) -> Iterator[str]:
    """How much came out."""
    yield from _problems(evidence, SIZE_PROBLEMS)
    if evidence.bundle_size > MAX_BUNDLE_SIZE:
        yield f"the bundle has {evidence.bundle_size} bytes; at most {format_size(MAX_BUNDLE_SIZE)} are accepted"


def commit_count(evidence: Evidence) -> Iterator[str]:
    """How many commits a person is asked to review."""
    for branch in evidence.branches:
        if len(branch.commits) > MAX_COMMITS:
            yield f"{branch.inside} has more than {MAX_COMMITS} new commits"


def file_count(evidence: Evidence) -> Iterator[str]:
    """How many files a person is asked to review."""
    for branch in evidence.branches:
        if len(branch.changes) > MAX_CHANGED_FILES:
            yield f"{branch.inside} changes more than {MAX_CHANGED_FILES} files"


def large_files(evidence: Evidence) -> Iterator[str]:
    """Content that makes every later clone slower."""
    for branch, change in _present(evidence):
        if (change.size or 0) > LARGE_FILE:
            yield f"{_show(branch, change.path)} has {change.size} bytes"


def signatures(evidence: Evidence) -> Iterator[str]:
    """More than one signature of a kind: verifying such a commit has corrupted git's memory (CVE-2026-113408 ff.)."""
    for branch in evidence.branches:
        for commit in branch.commits:
            for header, count in commit.signatures.items():
                if count > 1 and header != "mergetag":
                    yield f"commit {commit.sha[:12]} has {count} {header} headers"


# ---- single paths

# What HFS+ ignores in names: `.g<U+200C>it` is `.git` there.
_HFS_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


def _means_git(part: str) -> bool:
    """Whether some file system takes this name for `.git`."""
    name = _HFS_IGNORED.sub("", part).lower().partition(":")[0].rstrip(". ")
    return name in (".git", "git~1")


def names(evidence: Evidence) -> Iterator[Found | str]:
    """Names that escape the work tree, reach into a `.git`, or do not look like what they are."""
    for branch, change in _present(evidence):
        text = change.path.decode("utf-8", "surrogateescape")
        parts = text.split("/")
        if any(part in ("", ".", "..") for part in parts):
            yield Verdict.BLOCKED, f"{_show(branch, change.path)} leaves the work tree"
        elif any(_means_git(piece) for part in parts for piece in part.split("\\")):
            yield Verdict.BLOCKED, f"{_show(branch, change.path)} means .git on some file system"
        elif not is_plain(text):
            yield f"{_show(branch, change.path)} holds characters that are not shown or no UTF-8"
    for branch in evidence.branches:
        folded = Counter(_fold(change.path) for change in branch.changes if change.new_mode)
        yield from (f"{escape_text(path)} is there in {count} spellings" for path, count in folded.items() if count > 1)


def _fold(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape").casefold()


def symlinks(evidence: Evidence) -> Iterator[Found | str]:
    """Symlinks that lead out of the work tree, and files that steer git as symlinks."""
    for branch, change in _present(evidence):
        if change.new_mode != SYMLINK:
            continue
        shown = _show(branch, change.path)
        if change.path.rpartition(b"/")[2].decode("utf-8", "replace").lower() in STEERING_NAMES:
            yield Verdict.BLOCKED, f"{shown} is a symlink; git would read whatever it points to"
        elif change.target is None:
            yield f"{shown} is a symlink with a target that is none"
        elif why := _leaves(change.path, change.target):
            yield f"{shown} -> {escape_text(change.target[:200])}: {why}"


def _leaves(path: bytes, target: bytes) -> str:
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
    inside_git = any(_means_git(part.decode("utf-8", "surrogateescape")) for part in place)
    return "leads into .git" if inside_git else ""


def gitlinks(evidence: Evidence) -> Iterator[str]:
    """Links to commits of other repositories."""
    for branch, change in _present(evidence):
        if change.new_mode == GITLINK:
            yield f"{_show(branch, change.path)} -> commit {change.sha[:12]} of another repository"


def gitmodules(evidence: Evidence) -> Iterator[str]:
    """Which other repositories a recursive clone fetches."""
    for branch, change in _present(evidence):
        if _fold(change.path.rpartition(b"/")[2]) == ".gitmodules":
            yield f"{_show(branch, change.path)} changed: it says where submodules are fetched from"


def later(evidence: Evidence) -> Iterator[str]:
    """Files that run or steer something on the machine that checks this out."""
    for branch in evidence.branches:
        for change in branch.changes:
            if kind := runs_later(change.path):
                yield f"{_show(branch, change.path)} ({kind})"


# ---- what did not come along


def refs(evidence: Evidence) -> Iterator[str]:
    """Refs that were not collected, or are not as they were."""
    report = evidence.report
    yield from _problems(evidence, REF_PROBLEMS)
    if report.head.kind != "branch":
        yield f"HEAD was {report.head.kind}" + (f": {report.head.name}" if report.head.name else "")
    yield from (f"{left.inside} ({left.sha[:12]}) was not collected: {left.reason}" for left in report.left)
    yield from (f"the branch {name} was deleted" for name in report.deleted)
    if report.odd_refs:
        names = ", ".join(report.odd_names[:3])
        yield f"{report.odd_refs} refs with odd names did not come as such, at most their commits: {names}"
    if report.stash:
        yield "there is a stash; it did not come as such, at most its commits as a branch"
    elif report.other_refs:
        yield f"{report.other_refs} tags or other refs did not come as such, at most their commits"


def leftovers(evidence: Evidence) -> Iterator[str]:
    """Uncommitted work that could not be taken along, or not as it was; and problems of no other gate."""
    known = STRUCTURE_PROBLEMS | REF_PROBLEMS | SIZE_PROBLEMS
    return (problem.text for problem in evidence.problems if problem.code not in known)


GATES: dict[str, tuple[Verdict, Check]] = {
    "git-structure": (Verdict.BLOCKED, structure),
    "ancestry": (Verdict.BLOCKED, ancestry),
    "bundle-size": (Verdict.BLOCKED, bundle_size),
    "commit-count": (Verdict.BLOCKED, commit_count),
    "file-count": (Verdict.BLOCKED, file_count),
    "repeated-signatures": (Verdict.BLOCKED, signatures),
    "names": (Verdict.FLAGGED, names),
    "symlinks": (Verdict.FLAGGED, symlinks),
    "gitlinks": (Verdict.FLAGGED, gitlinks),
    "gitmodules": (Verdict.FLAGGED, gitmodules),
    "large-files": (Verdict.FLAGGED, large_files),
    "refs": (Verdict.FLAGGED, refs),
    "leftovers": (Verdict.FLAGGED, leftovers),
    "runs-later": (Verdict.FLAGGED, later),
}
"""Name -> what a hit means unless it says otherwise, and the check."""
