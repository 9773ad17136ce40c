"""What an agent adapter is: a name, a sentence, and how a task becomes a command."""

from __future__ import annotations

from typing import Protocol

from runner.model.task import Task
from runner.plan import Command


class Agent(Protocol):
    """One way to get work done in a sandbox. An adapter decides; it starts nothing and reads nothing."""

    name: str
    description: str

    def command(self, task: Task) -> Command:
        """What to run in the sandbox. Raises `UsageError` when the task lacks what this agent needs."""

    def slug(self, task: Task) -> str:
        """Words for the run's id when the user gave no name."""


def git_identity(name: str) -> dict[str, str]:
    """Who the commits are from: without these variables `git commit` fails inside."""
    return {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": "agent@paddock.invalid",
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": "agent@paddock.invalid",
    }
