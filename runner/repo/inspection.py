"""Looks at the quarantine with plumbing commands: no pager, no driver, no filter, no signature is ever started."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from runner.errors import GitError, StoreError
from runner.repo.evidence import (
    BranchEvidence,
    CarriedBranch,
    Change,
    CollectorReport,
    Commit,
    Evidence,
    Problem,
    parse_batch,
    parse_commit,
    parse_numstats,
    parse_raw_diff,
)
from runner.repo.gates import MAX_CHANGED_FILES, MAX_COMMITS, SYMLINK
from runner.repo.git import MIB, ProcessLimits, run_git
from runner.repo.quarantine import INSPECTION_LIMITS, Quarantine, Reception

MAX_LINK_TARGET = 4096
MAX_PATCH = 256 * MIB
DIFF = ("-r", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=none")


def gather_evidence(
    quarantine: Quarantine, report: CollectorReport, reception: Reception, *, start: str, deadline: float = 60.0
) -> Evidence:
    """Everything that the gates look at; `start` is the commit that the agent was given.

    What git cannot show within `deadline` seconds for one step, and within its limits, is a problem that blocks.
    """
    problems = [*report.problems, *reception.problems]
    branches = []
    for branch in report.branches if not reception.problems else ():
        try:
            branches.append(_Look(quarantine, start, deadline).branch(branch))
        except (GitError, ValueError) as error:  # ListingError is one
            name = branch.inside or "the detached HEAD"
            problems.append(Problem(code="too-large-to-read", text=f"{name} cannot be looked at: {error}"))
    return Evidence(
        start=start,
        report=report,
        bundle_size=reception.size,
        branches=tuple(branches),
        problems=tuple(problems),
    )


def write_patch(quarantine: Quarantine, start: str, head: str, path: Path, *, deadline: float = 60.0) -> bool:
    """Write the difference as a patch that `git apply` takes; False, and no file, when it is larger than MAX_PATCH.

    Raises StoreError when the file cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    argv = ["diff-tree", "-p", "--binary", "--full-index", "--src-prefix=a/", "--dst-prefix=b/", *DIFF, start, head]
    limits = ProcessLimits(memory=INSPECTION_LIMITS.memory, file_size=MAX_PATCH)
    try:
        partial.unlink(missing_ok=True)  # of a Paddock that died here
        with partial.open("xb") as stream:
            run_git(argv, git_dir=quarantine.git_dir, stdout=stream.fileno(), limits=limits, deadline=deadline)
        partial.rename(path)
    except GitError:
        partial.unlink()
        return False
    except OSError as error:
        raise StoreError(f"the patch cannot be written: {error.strerror}") from error
    return True


class _Look:
    """The questions about one branch."""

    def __init__(self, quarantine: Quarantine, start: str, deadline: float) -> None:
        self.quarantine, self.start, self.deadline = quarantine, start, deadline

    def branch(self, branch: CarriedBranch) -> BranchEvidence:
        return BranchEvidence(
            inside=branch.inside,
            ref=branch.ref,
            head=branch.sha,
            descends=self._descends(branch.sha),
            commits=self._commits(branch.sha),
            changes=self._changes(branch.sha),
        )

    def _git(self, *argv: str, asked: Iterable[str] = ()) -> bytes:
        stdin = "".join(f"{line}\n" for line in asked).encode("ascii")
        return run_git(
            argv, git_dir=self.quarantine.git_dir, stdin=stdin, limits=INSPECTION_LIMITS, deadline=self.deadline
        ).stdout

    def _descends(self, head: str) -> bool:
        argv = ["merge-base", "--is-ancestor", self.start, head]
        said = run_git(argv, git_dir=self.quarantine.git_dir, deadline=self.deadline, check=False)
        if said.exit_code not in (0, 1):
            raise GitError(f"git merge-base failed: {said.stderr[-500:]}")
        return said.exit_code == 0

    def _commits(self, head: str) -> tuple[Commit, ...]:
        limit = f"--max-count={MAX_COMMITS + 1}"
        shas = self._git("rev-list", "--topo-order", "--reverse", limit, head, f"^{self.start}").decode().split()
        raw = parse_batch(self._git("cat-file", "--batch", asked=shas))
        listing = self._git(
            "diff-tree", "--stdin", "--root", "--diff-merges=first-parent", "-z", "--numstat", *DIFF, asked=shas
        )
        stats = parse_numstats(listing, shas)
        commits = []
        for sha in shas:
            files, insertions, deletions = stats[sha]
            commit = parse_commit(sha, raw.get(sha, b""))
            commits.append(dataclasses.replace(commit, files=files, insertions=insertions, deletions=deletions))
        return tuple(commits)

    def _changes(self, head: str) -> tuple[Change, ...]:
        changes = parse_raw_diff(self._git("diff-tree", "-z", "--raw", "--no-abbrev", *DIFF, self.start, head))
        looked = changes[: MAX_CHANGED_FILES + 1]
        blobs = sorted({each.sha for each in looked if each.new_mode and each.new_mode & 0o170000 != 0o160000})
        lines = self._git("cat-file", "--batch-check=%(objectsize)", asked=blobs).split(b"\n") if blobs else []
        sizes = {sha: int(line) for sha, line in zip(blobs, lines, strict=False) if line.isdigit()}
        links = {each.sha for each in looked if each.new_mode == SYMLINK and sizes.get(each.sha, 0) <= MAX_LINK_TARGET}
        targets = parse_batch(self._git("cat-file", "--batch", asked=sorted(links))) if links else {}
        return tuple(
            dataclasses.replace(
                each, size=sizes.get(each.sha), target=targets.get(each.sha) if each.new_mode == SYMLINK else None
            )
            for each in looked
        )
