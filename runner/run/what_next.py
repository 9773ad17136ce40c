"""What to type after a run: the commands at the end of its result."""

from __future__ import annotations

import shlex

from runner.model.result import Outcome
from runner.run.attempt import Attempt


def next_commands(attempt: Attempt, outcome: Outcome) -> tuple[str, ...]:
    """The commands, the first thing to do first."""
    run, collected = attempt.paths.id, attempt.collected
    commands = [f"paddock show {run}"]
    if collected and collected.changed and attempt.prepared.task.result == "branch":
        commands.append(f"paddock diff {run}")
    if collected and collected.branch and outcome is Outcome.COMPLETED:
        commands.append(merge_command(attempt, collected.branch))
    if may_go_on(attempt):
        commands.append(f'paddock continue {run} "..."')
    if attempt.began and collected is None:
        commands.append(f"paddock recover {run}")
    if attempt.began:
        commands.append(f"paddock logs {run}{' --transcript' if attempt.prepared.reader else ''}")
    return tuple(commands)


def may_go_on(attempt: Attempt) -> bool:
    """Whether there is an agent that can be talked to, and a place to go on from: see `task_to_continue`."""
    collected = attempt.collected
    if attempt.prepared.reader is None or collected is None:
        return False
    return bool(collected.branch or not collected.changed or attempt.prepared.task.result != "branch")


def merge_command(attempt: Attempt, branch: str) -> str:
    """How the branch gets to where it is worked on: `paddock merge`, or git where that refuses."""
    source = attempt.prepared.source
    if source.bare:
        return shlex.join(["git", "fetch", str(source.path), branch])
    if source.has_lfs:
        return shlex.join(["git", "-C", str(source.path), "merge", branch])
    return f"paddock merge {attempt.paths.id}"
