"""What is checked before work reaches the user's repository: one table, and a small function for each line of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from runner.escape import escape_text
from runner.model.gates import GATES
from runner.model.quantities import format_size
from runner.model.result import GateResult, Verdict
from runner.repo.authorship import faults_of_commit
from runner.repo.evidence import Evidence, Finding
from runner.repo.path_gates import (
    Found,
    agents,
    ci,
    dependencies,
    gitlinks,
    gitmodules,
    large_files,
    later,
    names,
    symlinks,
)

MAX_BUNDLE_SIZE = 1024**3
MAX_COMMITS = 5_000
MAX_CHANGED_FILES = 50_000
MAX_DETAIL_LINES = 20
MAX_DETAIL_TEXT = 2_000

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

Check = Callable[[Evidence], Iterable[Found | str]]


def judge(evidence: Evidence, *, strict: Collection[str] = ()) -> tuple[GateResult, ...]:
    """Every gate's word, in the order of the table; the passing ones too. Any hit of a gate in `strict` blocks."""
    return tuple(_judge_one(name, check, evidence, strict=name in strict) for name, check in CHECKS.items())


def blocked(results: Iterable[GateResult]) -> bool:
    """Whether any gate keeps the work out of the user's repository."""
    return any(result.verdict is Verdict.BLOCKED for result in results)


def _judge_one(name: str, check: Check, evidence: Evidence, *, strict: bool) -> GateResult:
    usual = GATES[name][0]
    found = [(usual, hit) if isinstance(hit, str) else hit for hit in check(evidence)]
    if strict:
        found = [(Verdict.BLOCKED, text) for _, text in found]
    found.sort(key=lambda hit: hit[0] is not Verdict.BLOCKED)  # what blocks is read first
    lines = [escape_text(text[:MAX_DETAIL_TEXT]) for _, text in found[:MAX_DETAIL_LINES]]
    if len(found) > MAX_DETAIL_LINES:
        lines.append(f"and {len(found) - MAX_DETAIL_LINES} more")
    return GateResult(name=name, verdict=found[0][0] if found else Verdict.PASSED, detail=tuple(lines))


# ---- what came out, as a whole


def _problems(evidence: Evidence, codes: frozenset[str]) -> Iterator[str]:
    return (problem.text for problem in evidence.problems if problem.code in codes)


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


def file_count(evidence: Evidence) -> Iterator[Found | str]:
    """How many files a person is asked to review, in the end or in one commit."""
    for branch in evidence.branches:
        if len(branch.changes) > MAX_CHANGED_FILES:
            yield f"{branch.inside} changes more than {MAX_CHANGED_FILES} files"
        for commit in branch.commits:
            if commit.files > MAX_CHANGED_FILES:
                yield Verdict.FLAGGED, f"commit {commit.sha[:12]} changes {commit.files} files"


def signatures(evidence: Evidence) -> Iterator[str]:
    """More than one signature of a kind: verifying such a commit has corrupted git's memory (CVE-2026-113408 ff.)."""
    for branch in evidence.branches:
        for commit in branch.commits:
            for header, count in commit.signatures.items():
                if count > 1 and header != "mergetag":
                    yield f"commit {commit.sha[:12]} has {count} {header} headers"


# ---- what is in the lines and in the commits


def secrets(evidence: Evidence) -> Iterator[str]:
    """Credentials that look real in added lines, by the forms that their issuers give them; the value is not shown."""
    yield from _told(evidence.added.secrets)
    if evidence.added.unread:
        yield evidence.added.unread


def hidden_text(evidence: Evidence) -> Iterator[str]:
    """Added lines that read otherwise than they are: Trojan Source (CVE-2021-42574), text that only models see."""
    return _told(evidence.added.hidden)


def pointers(evidence: Evidence) -> Iterator[str]:
    """Files that name a large file of Git LFS in place of their content, which is not in the branch."""
    return _told(evidence.added.pointers, "is a Git LFS pointer: its content is not in the branch")


def _told(findings: Iterable[Finding], what: str = "") -> Iterator[str]:
    for each in findings:
        place = f"{escape_text(each.path)}:{each.line}"
        yield f"{place}: {what or each.kind} (commit {each.commit[:12]})"


def authorship(evidence: Evidence) -> Iterator[str]:
    """Names, dates, sign-offs, reviews and signatures that an agent can write and nobody has checked."""
    told = set()
    for branch in evidence.branches:
        for commit in branch.commits:
            faults = faults_of_commit(commit, evidence) if commit.sha not in told else []
            told.add(commit.sha)
            if faults:
                yield f"commit {commit.sha[:12]}: {'; '.join(faults)}"


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


CHECKS: dict[str, Check] = {
    "git-structure": structure,
    "ancestry": ancestry,
    "bundle-size": bundle_size,
    "commit-count": commit_count,
    "file-count": file_count,
    "repeated-signatures": signatures,
    "secrets": secrets,
    "runs-later": later,
    "runs-in-ci": ci,
    "steers-agents": agents,
    "dependencies": dependencies,
    "names": names,
    "hidden-text": hidden_text,
    "authorship": authorship,
    "symlinks": symlinks,
    "gitlinks": gitlinks,
    "gitmodules": gitmodules,
    "lfs-pointers": pointers,
    "large-files": large_files,
    "refs": refs,
    "leftovers": leftovers,
}
"""Name -> its check; `runner.model.gates` says what a hit means."""
