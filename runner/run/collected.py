"""What came out of a run."""

from __future__ import annotations

from dataclasses import dataclass

from runner.model.artifact import Artifact
from runner.model.result import BranchResult, CommitSummary, GateResult


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What came out."""

    gates: tuple[GateResult, ...]
    branches: tuple[BranchResult, ...]
    commits: tuple[CommitSummary, ...]
    uncommitted: bool
    artifacts: tuple[Artifact, ...] = ()
    left_out: tuple[str, ...] = ()
    """What the agent left and neither the bundle nor the repository holds: its workspace may not go. Escaped text."""

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
