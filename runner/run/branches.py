"""The branch that a finished run left: looked at again before anything is done with it, and merged."""

from __future__ import annotations

from pathlib import Path

from runner.errors import RefusedError
from runner.model.result import RunResult
from runner.repo.merging import Merged, merge_branch
from runner.repo.source import Source, inspect_source


def branch_source(result: RunResult, *, uid: int, instead: str) -> Source:
    """The repository with the run's branch, which stands where the gates looked at it.

    Raises `RefusedError`; `instead` is the command of git's that does by hand what is refused here.
    """
    source = inspect_source(result.repo, result.branch, effective_uid=uid)
    if source.has_lfs:
        raise RefusedError(f"{result.repo} uses Git LFS, whose filters Paddock does not start.", hint=instead)
    if source.base_sha != result.head:
        raise RefusedError(
            f"{result.branch} has moved since the run ended ({source.base_sha[:10]}, was {result.head[:10]}).",
            hint="The gates looked at the older commit; do it by hand if that is what you want.",
        )
    return source


def merge_work(result: RunResult, *, home: Path, uid: int) -> Merged:
    """Merge a run's branch into what is checked out in its repository. Raises `RefusedError`; then nothing changed."""
    source = branch_source(result, uid=uid, instead=f"git merge {result.branch}")
    if source.bare:
        raise RefusedError(
            f"{result.repo} is bare: it has no work tree to merge into.", hint=f"Fetch {result.branch} from it."
        )
    return merge_branch(
        source.path,
        source.git_dir,
        result.branch,
        home=home,
        user=source.user(uid),
        message=f"Merge {result.branch}",
    )
