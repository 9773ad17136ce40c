"""Collection: a dead agent's work becomes a bundle, the bundle a quarantine, and what passes the gates a branch.

The host reads two files that the collector wrote, and never anything that the agent wrote (promise 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from runner.errors import EngineError
from runner.model.artifact import MOST_BYTES, MOST_BYTES_TOGETHER, MOST_FILES
from runner.model.events import Phase
from runner.model.result import BranchResult, CommitSummary, GateResult
from runner.model.spec import Role
from runner.plan import COLLECTOR_SECONDS
from runner.repo.evidence import BranchEvidence, CollectorReport, Evidence, Span
from runner.repo.gates import blocked, judge
from runner.repo.importing import import_branches, name_branches
from runner.repo.inspection import gather_evidence, write_patch
from runner.repo.quarantine import (
    BUNDLE_NAME,
    Quarantine,
    Reception,
    keep_bundle,
    make_quarantine,
    read_report,
    receive_bundle,
)
from runner.repo.workspace import Workspace
from runner.run.attempt import Attempt
from runner.run.collected import Collected
from runner.run.collector import Collector
from runner.run.recovery_record import note_ending, write_standing
from runner.store.artifacts import take_artifacts
from runner.store.tree import remove_tree

MAX_BRANCHES = 20
GIT_SECONDS = 120.0
ARTIFACTS = "artifacts"
ARTIFACT_SECONDS = 60.0
COLLECTOR_IDENTITY = ("Paddock", "paddock@localhost")


def collect_attempt(attempt: Attempt, workspace: Workspace, collector: Callable[[], Collector]) -> None:
    """Everything from the collector's start signal to the new refs, once nothing of the agent runs any more.

    `collector` gives one that waits, and is asked only where the sandbox has not handed over the work itself.
    Raises `EngineError` when that cannot be done; the workspace is then kept.
    """
    ending = note_ending(attempt)
    found = attempt.host.engine.find(run=attempt.paths.id)
    if any(container.running and container.role == Role.SANDBOX for container in found):
        raise EngineError("The sandbox could not be stopped, so its work was not touched.")
    attempt.collected = collect_work(attempt, workspace, collector, at=ending.at)


@dataclass(frozen=True, kw_only=True)
class Handout:
    """What a collector gave out, as far as it was taken in."""

    report: CollectorReport
    kept: bool
    """Whether the bundle is kept as evidence."""
    quarantine: Quarantine
    reception: Reception

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing from it, for all that it says and git found."""
        left = self.report.left or self.report.problems or self.report.salvaged or self.report.artifacts
        return not (left or self.reception.problems) and (self.kept or not self.report.branches)


def collect_work(attempt: Attempt, workspace: Workspace, collector: Callable[[], Collector], *, at: int) -> Collected:
    """Collector, quarantine, gates, and the new refs if all of the gates let them through.

    Uncommitted work is committed as of `at`, in seconds since 1970: collected again, it is the same commit.
    """
    journal, paths = attempt.journal, attempt.paths
    with journal.phase(Phase.COLLECT):
        handout = handed_over(attempt)
        if handout is None:
            collector().collect(paths, collector_request(attempt, workspace, at))
            handout = take_in(attempt)
        report, reception, quarantine = handout.report, handout.reception, handout.quarantine
        files = [(file.name, file.size) for file in report.artifacts]
        artifacts, lost = take_artifacts(paths.collector_out / ARTIFACTS, files, paths.artifacts)
    with journal.phase(Phase.GATES):
        span = Span(begun=int(datetime.fromisoformat(journal.started_at).timestamp()), ended=at)
        evidence = gather_evidence(quarantine, report, reception, start=workspace.start, span=span)
        gates = judge(evidence, strict=attempt.prepared.policy.gates)
        if evidence.branches:
            write_patch(quarantine, workspace.start, main_branch(evidence).head, paths.diff)
    wanted = attempt.prepared.task.result == "branch"
    refs = name_branches(paths.id, report) if wanted and not blocked(gates) else {}
    left = (*what_is_left(report, reception, kept=handout.kept), *lost)
    collected = replace(described(evidence, gates, refs, report, left), artifacts=artifacts)
    write_standing(attempt, workspace, collected)
    if evidence.branches and refs:
        with journal.phase(Phase.IMPORT):
            bring_home(attempt, workspace, quarantine, {refs[each.ref]: each.head for each in evidence.branches})
    for note in report.notes:
        journal.notice(note)
    return collected


def handed_over(attempt: Attempt) -> Handout | None:
    """What the sandbox gave out itself; `None` where it did not, or not all of it, and nothing is left of that."""
    if not attempt.handed_over:
        return None
    handout = take_in(attempt)
    if handout.is_whole:
        return handout
    attempt.paths.bundle.unlink(missing_ok=True)
    remove_tree(attempt.paths.quarantine)
    return None


def take_in(attempt: Attempt) -> Handout:
    """What lies where collectors put it."""
    out = attempt.paths.collector_out
    report = read_report(out)
    kept = keep_bundle(out / BUNDLE_NAME, attempt.paths.bundle)
    quarantine = open_quarantine(attempt)
    reception = receive_bundle(quarantine, out / BUNDLE_NAME, report, deadline=GIT_SECONDS)
    return Handout(report=report, kept=kept, quarantine=quarantine, reception=reception)


def what_is_left(report: CollectorReport, reception: Reception, *, kept: bool) -> tuple[str, ...]:
    """Why the workspace may not go; nothing when all that is in it is in the bundle that is kept."""
    lost = () if kept or not report.branches else ("the bundle could not be kept",)
    return (*lost, *(problem.text for problem in reception.problems), *report.left_out())


def collector_request(
    attempt: Attempt, workspace: Workspace, at: int, *, seconds: float = COLLECTOR_SECONDS
) -> dict[str, object]:
    """What `repo/collector/` is told, which is ended after so many seconds; its `read_request` says what it means."""
    name, email = COLLECTOR_IDENTITY
    return {
        "version": 1,
        "object_format": attempt.prepared.source.object_format,
        "start": workspace.start,
        "base": workspace.base,
        "exclude": known_commits(workspace),
        "head_branch": workspace.head_branch,
        "refs": dict(workspace.refs),
        "max_branches": MAX_BRANCHES,
        "leftovers": True,
        "shallow": list(workspace.shallow),
        "identity": {"name": name, "email": email},
        "commit_date": f"{at} +0000",
        "step_seconds": seconds / 4,
        "seconds": seconds * 0.9,
        "artifacts": list(attempt.prepared.policy.artifacts),
        "artifact_caps": (MOST_FILES, MOST_BYTES, MOST_BYTES_TOGETHER),
        "artifact_seconds": ARTIFACT_SECONDS,
    }


def known_commits(workspace: Workspace) -> list[str]:
    """Commits that the user's repository has already; a carried-along first commit is not among them."""
    return sorted({workspace.base, *workspace.refs.values()} - ({workspace.start} - {workspace.base}))


def open_quarantine(attempt: Attempt) -> Quarantine:
    """The bare repository that the gates look at."""
    source = attempt.prepared.source
    return make_quarantine(
        attempt.paths.quarantine,
        alternates=source.object_dirs,
        object_format=source.object_format,
        shallow=source.shallow,
    )


def bring_home(attempt: Attempt, workspace: Workspace, quarantine: Quarantine, heads: dict[str, str]) -> None:
    """The new refs (full name -> commit) in the user's repository."""
    source = attempt.prepared.source
    import_branches(
        quarantine,
        source.common_dir,
        refs=heads,
        exclude=known_commits(workspace),
        owner=source.user(attempt.host.user.uid),
    )


def main_branch(evidence: Evidence) -> BranchEvidence:
    """The checked-out branch, or the first of the others."""
    return next((branch for branch in evidence.branches if branch.primary), evidence.branches[0])


def described(
    evidence: Evidence,
    gates: tuple[GateResult, ...],
    refs: dict[str, str],
    report: CollectorReport,
    left_out: tuple[str, ...],
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
        left_out=left_out,
    )
