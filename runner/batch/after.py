"""What is done with the branches of a batch, one task at a time: they are merged, or pushed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from runner.batch.picking import Pick
from runner.batch.prompts import filled, unknown_in
from runner.clock import Clock, SystemClock
from runner.errors import RefusedError, UsageError
from runner.model.result import RunResult
from runner.repo.pushing import (
    BRANCH_NAME,
    Remote,
    Standing,
    push_commit,
    remote_of_repository,
    remote_of_url,
    standing_of,
)
from runner.repo.urls import is_url
from runner.run.branches import branch_source, merge_work
from runner.store.runs import read_result, run_paths

OURS = "paddock/"
NAME_VARIABLES = frozenset({"branch", "name", "run", "attempt", "agent", "batch"})
_OUTSIDE_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Deed(NamedTuple):
    """What was done for one task, in a few words."""

    text: str
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where things are, and as whom they are done."""

    batch: str
    state: Path
    home: Path
    uid: int
    git: Mapping[str, str]
    """The user's own variables, for git."""
    forges: Mapping[str, str] = field(default_factory=dict)
    """And for the programs of forges."""
    clock: Clock = field(default_factory=SystemClock)

    def result(self, run: str) -> RunResult:
        """How a run ended. Raises `StoreError`."""
        return read_result(run_paths(self.state, run))


@dataclass(frozen=True, kw_only=True)
class Push:
    """Where branches go, and how they are called there."""

    remote: str = "origin"
    branch: str = "{branch}"

    def check(self, picks: Sequence[Pick], batch: str) -> None:
        """Raises `UsageError` for a name that could be somebody else's, or that two of the tasks would have."""
        fixed = self.branch.partition("{")[0]
        prefix = OURS if self.branch.startswith("{branch}") else fixed[: fixed.rfind("/") + 1]
        refuse_unknown("--branch", self.branch, NAME_VARIABLES)
        taken: dict[tuple[str, str], Pick] = {}
        for pick in picks:
            name = self.name(pick, batch)
            if not prefix or not name.startswith(prefix) or not BRANCH_NAME.fullmatch(name):
                raise UsageError(
                    f"--branch {self.branch} gives the name {name!r}, which is none or could be somebody else's.",
                    hint="Begin it with a folder of its own, as in 'bots/{name}'.",
                )
            other = taken.setdefault((pick.task.repo, name), pick)
            if other is not pick:
                raise UsageError(
                    f"{other.task.name} and {pick.task.name} would both be {name}.",
                    hint="Put {name} or {run} into --branch.",
                )

    def name(self, pick: Pick, batch: str) -> str:
        """The branch on the remote."""
        task, attempt = pick
        words = {"name": task.name, "run": attempt.run, "agent": task.agent, "batch": batch}
        plain = {key: _OUTSIDE_NAMES.sub("-", value).strip("-.") for key, value in words.items()}
        return filled(self.branch, {**plain, "branch": attempt.branch, "attempt": str(attempt.attempt)})


def refuse_unknown(option: str, text: str, known: frozenset[str]) -> None:
    """Raises `UsageError` for a variable that is none."""
    for unknown in unknown_in(text, dict.fromkeys(known, "")):
        raise UsageError(
            f"{option}: {{{unknown.name}}} stands for nothing.",
            hint=f"There is {', '.join(f'{{{name}}}' for name in sorted(known))}.",
        )


def merge_pick(pick: Pick, place: Place, *, dry_run: bool = False) -> Deed:
    """Merge one branch into what is checked out in its repository. Raises `PaddockError`; then nothing changed."""
    refuse_url(pick)
    if dry_run:
        source = branch_source(
            place.result(pick.attempt.run), uid=place.uid, instead=f"git merge {pick.attempt.branch}"
        )
        return Deed(f"to be merged into {source.head_branch or 'nothing: no branch is checked out'}")
    merged = merge_work(place.result(pick.attempt.run), home=place.home, uid=place.uid)
    if merged.how == "no change":
        return Deed(f"in {merged.into} already")
    return Deed(f"{merged.how} of {merged.into} to {merged.head[:10]}")


def refuse_url(pick: Pick) -> None:
    """Raises `RefusedError` where there is nothing to merge into."""
    if is_url(pick.task.repo):
        raise RefusedError(
            "it came from a URL: there is no repository of yours to merge into",
            hint="push it with `paddock batch push`",
        )


def push_pick(pick: Pick, push: Push, place: Place, *, dry_run: bool = False) -> Deed:
    """Push one branch. Raises `PaddockError`. A dry run contacts nobody."""
    result = place.result(pick.attempt.run)
    remote = remote_of(pick, result, push, place)
    name = push.name(pick, place.batch)
    if dry_run:
        return Deed(f"to be pushed as {name} to {remote.shown}")
    how = push_to(remote, name, result, standing_of(remote, {name}))
    return Deed(f"{how}: {name} at {remote.shown}")


def remote_of(pick: Pick, result: RunResult, push: Push, place: Place) -> Remote:
    """Where a branch goes: the URL that it came from, or a remote of the user's repository. Raises `PaddockError`."""
    source = branch_source(result, uid=place.uid, instead=f"git push {push.remote} {result.branch}")
    if source.user(place.uid) is not None:
        raise RefusedError(
            f"{source.shown} belongs to another user, whose configuration says what git starts for a push",
            hint="push as that user",
        )
    if is_url(pick.task.repo):
        return remote_of_url(pick.task.repo, source.git_dir, place.git)
    return remote_of_repository(push.remote, source.path, source.git_dir, place.git)


def push_to(remote: Remote, name: str, result: RunResult, standing: Standing) -> str:
    """Push a run's commit under a name that is not the default branch's; what that came to. Raises `PaddockError`."""
    if name == standing.default:
        raise RefusedError(f"{name} is the default branch of {remote.shown}, to which nothing is pushed")
    if standing.branches.get(name) == result.head:
        return "there already"
    return push_commit(remote, result.head, name)
