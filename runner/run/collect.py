"""Collection: a dead agent's work becomes a bundle, the bundle a quarantine, and what passes the gates a branch.

The host reads two files that the collector wrote, and never anything that the agent wrote (promise 1).
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.clock import Clock
from runner.model.events import Phase
from runner.model.result import BranchResult, CommitSummary, GateResult
from runner.plan import COLLECTOR_SECONDS
from runner.repo.evidence import BranchEvidence, CollectorReport, Evidence
from runner.repo.gates import blocked, judge
from runner.repo.importing import import_branches, name_branches
from runner.repo.inspection import gather_evidence, write_patch
from runner.repo.quarantine import (
    BUNDLE_NAME,
    Quarantine,
    keep_bundle,
    make_quarantine,
    read_report,
    receive_bundle,
)
from runner.repo.source import Source
from runner.repo.workspace import Workspace
from runner.run.collector import Collector
from runner.run.journal import Journal
from runner.store.runs import RunPaths

MAX_BRANCHES = 20
GIT_SECONDS = 120.0
COLLECTOR_IDENTITY = ("Paddock", "paddock@localhost")


@dataclass(frozen=True, kw_only=True)
class Collecting:
    """What collection needs to know."""

    source: Source
    workspace: Workspace
    effective_uid: int
    paths: RunPaths
    journal: Journal
    clock: Clock


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What came out."""

    gates: tuple[GateResult, ...]
    branches: tuple[BranchResult, ...]
    commits: tuple[CommitSummary, ...]
    uncommitted: bool
    complete: bool
    """Everything that the agent left is in the bundle or the repository: its workspace may go."""

    @property
    def changed(self) -> bool:
        """Whether there was anything to collect."""
        return bool(self.branches)

    @property
    def branch(self) -> str:
        """The branch to review; empty when the gates kept everything out."""
        return next((branch.ref.removeprefix("refs/heads/") for branch in self.branches if branch.ref), "")

    @property
    def head(self) -> str:
        """The commit of the branch to review."""
        return self.branches[0].head if self.branches else ""


def collect_work(collecting: Collecting, collector: Collector) -> Collected:
    """Everything from the collector's start signal to the new refs. Raises `EngineError` when it cannot be done."""
    journal, paths = collecting.journal, collecting.paths
    with journal.phase(Phase.COLLECT):
        collector.collect(paths, collector_request(collecting))
        report = read_report(paths.collector_out)
        keep_bundle(paths.collector_out / BUNDLE_NAME, paths.bundle)
        quarantine = open_quarantine(collecting)
        reception = receive_bundle(quarantine, paths.collector_out / BUNDLE_NAME, report, deadline=GIT_SECONDS)
    with journal.phase(Phase.GATES):
        evidence = gather_evidence(quarantine, report, reception, start=collecting.workspace.start)
        gates = judge(evidence)
        if evidence.branches:
            write_patch(quarantine, collecting.workspace.start, main_branch(evidence).head, paths.diff)
    refs: dict[str, str] = {}
    if evidence.branches and not blocked(gates):
        with journal.phase(Phase.IMPORT):
            refs = bring_home(collecting, quarantine, report, evidence)
    for note in report.notes:
        journal.notice(note)
    return described(evidence, gates, refs, report)


def collector_request(collecting: Collecting) -> dict[str, object]:
    """What `repo/collector.py` is told; its docstring and `read_request` say what each key means."""
    workspace, (name, email) = collecting.workspace, COLLECTOR_IDENTITY
    return {
        "version": 1,
        "object_format": collecting.source.object_format,
        "start": workspace.start,
        "base": workspace.base,
        "exclude": known_commits(collecting),
        "head_branch": workspace.head_branch,
        "refs": dict(workspace.refs),
        "max_branches": MAX_BRANCHES,
        "leftovers": True,
        "shallow": list(workspace.shallow),
        "identity": {"name": name, "email": email},
        "commit_date": f"{int(collecting.clock.now().timestamp())} +0000",
        "step_seconds": COLLECTOR_SECONDS / 4,
    }


def known_commits(collecting: Collecting) -> list[str]:
    """Commits that the user's repository has already; a carried-along first commit is not among them."""
    workspace = collecting.workspace
    return sorted({workspace.base, *workspace.refs.values()} - ({workspace.start} - {workspace.base}))


def open_quarantine(collecting: Collecting) -> Quarantine:
    """The bare repository that the gates look at."""
    return make_quarantine(
        collecting.paths.quarantine,
        alternates=collecting.source.object_dirs,
        object_format=collecting.source.object_format,
        shallow=collecting.source.shallow,
    )


def bring_home(
    collecting: Collecting, quarantine: Quarantine, report: CollectorReport, evidence: Evidence
) -> dict[str, str]:
    """The new refs in the user's repository; bundle ref -> new ref."""
    names = name_branches(collecting.paths.id, report)
    heads = {branch.ref: branch.head for branch in evidence.branches}
    import_branches(
        quarantine,
        collecting.source.common_dir,
        refs={names[ref]: head for ref, head in heads.items()},
        exclude=known_commits(collecting),
        owner=collecting.source.user(collecting.effective_uid),
    )
    return names


def main_branch(evidence: Evidence) -> BranchEvidence:
    """The checked-out branch, or the first of the others."""
    return next((branch for branch in evidence.branches if branch.primary), evidence.branches[0])


def described(
    evidence: Evidence, gates: tuple[GateResult, ...], refs: dict[str, str], report: CollectorReport
) -> Collected:
    """What came out, in the words of the result document: the branch to review first."""
    ordered = sorted(evidence.branches, key=lambda branch: branch is not main_branch(evidence))
    return Collected(
        gates=gates,
        branches=tuple(
            BranchResult(inside=b.inside, ref=refs.get(b.ref, ""), head=b.head, commits=len(b.commits)) for b in ordered
        ),
        commits=tuple(
            CommitSummary(
                sha=commit.sha,
                subject=commit.subject,
                author=commit.author,
                files=commit.files,
                insertions=commit.insertions,
                deletions=commit.deletions,
            )
            for commit in (ordered[0].commits if ordered else ())
        ),
        uncommitted=report.uncommitted,
        complete=not report.problems and not report.left,
    )
