"""The agent `command`: any argv, as it stands."""

from __future__ import annotations

from pathlib import PurePosixPath

from runner.agents.base import git_identity
from runner.errors import UsageError
from runner.model.task import Task
from runner.plan import Command


class CommandAgent:
    """Runs what follows `--`."""

    name = "command"
    description = "any command: what follows --"

    def command(self, task: Task) -> Command:
        """The task's argv."""
        if not task.argv:
            raise UsageError(
                "There is nothing to run.", hint="Put a command after --, as in `paddock run REPO -- make test`."
            )
        if task.prompt:
            raise UsageError(
                "The agent `command` takes a command after --, not a prompt.", hint="Choose one with --agent."
            )
        return Command(argv=task.argv, environment=git_identity("Paddock command"))

    def slug(self, task: Task) -> str:
        """The program's own name."""
        return PurePosixPath(task.argv[0]).name if task.argv else "command"
