"""What an agent adapter is: names, a command for a task, and a reader of what the command prints."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from runner.agents.providers import Provider
from runner.model.request import Command
from runner.model.task import Task
from runner.plan import AGENT, TASK

if TYPE_CHECKING:  # only agents with a model have readers that need it
    from runner.model.activity import Activity

PROMPT = "prompt.md"
"""Where the prompt is, below `/paddock/task`."""
PLACEHOLDER = "placeholder-the-gateway-adds-the-real-key"
"""What the sandbox holds where an agent insists on a key."""
SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", re.ASCII)
"""Names of conversations that may come back as an argument: the agent's own word, so none opens with a hyphen."""


@dataclass(frozen=True, kw_only=True)
class Api:
    """The model's API as one sandbox reaches it."""

    provider: str
    """`anthropic`, `openai`, `google` ...: which of an agent's dialects it speaks."""
    url: str
    """Without a slash at the end: `http://api.anthropic.com`; `https://...` only where the key was passed in."""
    variable: str
    """The variable by which agents know the key: `ANTHROPIC_API_KEY`."""
    injected: bool = True
    """Whether the gateway adds the key; else the sandbox holds it in `variable`, because the user wanted it so."""

    @property
    def key(self) -> dict[str, str]:
        """The variable that satisfies an agent which insists on a key: a placeholder, or nothing where it has one."""
        return {self.variable: PLACEHOLDER} if self.injected else {}


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """A task with everything that an adapter needs beside it, already decided."""

    task: Task
    api: Api | None = None
    """`None` for an agent without a model."""
    model: str = ""
    """As the provider names it; empty: the agent's own choice."""
    instruction: str = ""
    """What every task says beside its prompt: how to work, and what this sandbox allows."""
    search: bool = False
    """Whether it may search the web, which its provider does for it, past every policy of ours."""
    session: str = ""
    """The conversation to go on with, which is below `/paddock/agent`; empty: a new one."""


class Reader(Protocol):
    """Reads what an agent prints in one run, line by line. Keeps little, raises nothing, whatever it is given."""

    def read(self, line: bytes) -> Iterable[Activity]:
        """What one line of standard output, without its line break, tells."""


class Agent(Protocol):
    """One way to get work done in a sandbox. An adapter decides; it starts nothing and reads nothing."""

    name: str
    description: str
    image: str
    """The shipped image that has it; empty: the base image."""

    def providers(self, model: str) -> tuple[Provider, ...]:
        """Whose API it can use for `model`, the usual one first; empty for an agent without a model."""

    def command(self, assignment: Assignment) -> Command:
        """What to run in the sandbox. Raises `UsageError` when the task lacks what this agent needs."""

    def reader(self) -> Reader:
        """Whoever reads one run's output."""

    def slug(self, task: Task) -> str:
        """Words for the run's id when the user gave no name."""


class ModelAgent:
    """What agents with a model have in common."""

    name = ""

    def slug(self, task: Task) -> str:
        """The words of the user."""
        return task.title or task.prompt or self.name


class Silent:
    """A reader for agents that tell nothing of what they do."""

    def read(self, line: bytes) -> Iterable[Activity]:  # noqa: ARG002 - a Reader
        """Nothing."""
        return ()


def fed(argv: tuple[str, ...], file: str = PROMPT) -> tuple[str, ...]:
    """`argv` with a file of the task as its standard input: a prompt may be longer than an argument (128 KiB)."""
    return ("sh", "-c", 'exec "$@" <"$0"', f"{TASK}/{file}", *argv)


def kept(name: str) -> str:
    """Where the agent's own file or folder of that name is."""
    return f"{AGENT}/{name}"


def git_identity(name: str) -> dict[str, str]:
    """Who the commits are from: without these variables `git commit` fails inside."""
    return {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": "agent@paddock.invalid",
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": "agent@paddock.invalid",
    }
