"""The agent `demo`: a scripted agent that needs no model and no key, for a first look at a real run.

It does one honest small job, the one that the README shows: it replaces the unittest aliases that
Python 3.12 removed, runs the tests, and commits.
"""

from __future__ import annotations

import inspect

from runner.agents import demo_script
from runner.agents.base import Assignment, Reader, Silent, git_identity
from runner.agents.providers import Provider
from runner.errors import UsageError
from runner.model.request import Command
from runner.model.task import Task


class DemoAgent:
    """Replaces deprecated unittest aliases and commits, with no model behind it."""

    name = "demo"
    description = "a scripted agent: replaces deprecated unittest aliases, runs the tests, commits; needs no key"
    image = ""

    def providers(self, model: str) -> tuple[Provider, ...]:  # noqa: ARG002 - an Agent
        """None."""
        return ()

    def command(self, assignment: Assignment) -> Command:
        """The script, whole, on the command line: nothing of it has to be in the image."""
        task = assignment.task
        if task.argv:
            raise UsageError(
                "The agent `demo` takes no command.", hint='Try `paddock run REPO --agent demo "fix the warnings"`.'
            )
        script = inspect.getsource(demo_script)
        return Command(
            argv=("python3", "-c", script, task.prompt or "fix the deprecation warnings"),
            environment=git_identity("Paddock demo agent"),
        )

    def reader(self) -> Reader:
        """Its words are for people already."""
        return Silent()

    def slug(self, task: Task) -> str:
        """The prompt's words."""
        return task.prompt or "demo"
