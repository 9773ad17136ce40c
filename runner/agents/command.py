"""The agent `command`: any argv, as it stands."""

from __future__ import annotations

from pathlib import PurePosixPath

from runner.agents.base import Assignment, Reader, Silent, git_identity
from runner.agents.providers import Provider
from runner.errors import UsageError
from runner.model.request import Command
from runner.model.task import Task


class CommandAgent:
    """Runs what follows `--`."""

    name = "command"
    description = "any command: what follows --"
    image = ""

    def providers(self, model: str) -> tuple[Provider, ...]:  # noqa: ARG002 - an Agent
        """None."""
        return ()

    def command(self, assignment: Assignment) -> Command:
        """The task's argv."""
        task = assignment.task
        if not task.argv:
            raise UsageError(
                "There is nothing to run.", hint="Put a command after --, as in `paddock run REPO -- make test`."
            )
        if task.prompt:
            raise UsageError(
                "The agent `command` takes a command after --, not a prompt.", hint="Choose one with --agent."
            )
        return Command(argv=task.argv, environment=git_identity("Paddock command"))

    def reader(self) -> Reader:
        """Any command's output is what it is."""
        return Silent()

    def slug(self, task: Task) -> str:
        """The program's own name."""
        return PurePosixPath(task.argv[0]).name if task.argv else "command"
