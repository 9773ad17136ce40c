"""The result document of a run that never was one, for programs that asked for a document."""

from __future__ import annotations

from runner.clock import SystemClock, timestamp
from runner.errors import PaddockError
from runner.escape import escape_text
from runner.model.result import Digests, Outcome, RunResult
from runner.repo.urls import is_url, parse_url


def nothing_started(repo: str, outcome: Outcome, exit_code: int, reason: str) -> RunResult:
    """The result document of a run of `repo` that never was one."""
    now = timestamp(SystemClock().now())
    return RunResult(
        id="",
        outcome=outcome,
        exit_code=exit_code,
        reason=escape_text(reason),
        repo=escape_text(shown_repo(repo)),
        digests=Digests(policy=""),
        started_at=now,
        ended_at=now,
    )


def shown_repo(repo: str) -> str:
    """The repository as it may be printed: a URL loses its credentials, and is left out where it cannot be read."""
    if not is_url(repo):
        return repo
    try:
        return parse_url(repo).url
    except PaddockError:
        return ""
