"""The batch file: many tasks in one TOML file, and what one of them is once everything has been put together."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from runner.model.base import Record
from runner.model.secret_names import is_secret_name
from runner.model.task import Task
from runner.model.wording import quoted

MOST_TASKS = 10_000
MOST_ATTEMPTS = 20

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)


def _task_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{quoted(name)} is no name: letters, digits, dots, hyphens and underscores, at most 64")
    return name


def _variables(values: dict[str, str]) -> dict[str, str]:
    for name in values:
        if not VARIABLE.fullmatch(name):
            raise ValueError(f"{quoted(name)} is no name of a variable: small letters, digits and underscores")
        if name in OWN_VARIABLES:
            raise ValueError(f"{quoted(name)} is known for every task already")
    return values


def _public(values: dict[str, str]) -> dict[str, str]:
    for name in values:
        if is_secret_name(name):
            raise ValueError(
                f"{quoted(name)} sounds like a secret, which a batch file is no place for; "
                f"write pass_secrets = [{quoted(name)}]"
            )
    return values


def _as_repo(value: Any) -> Any:
    return {"repo": value} if isinstance(value, str) else value


def _as_prompt(value: Any) -> Any:
    return {"prompt": value} if isinstance(value, str) else value


def _as_agent(value: Any) -> Any:
    return {"agent": value} if isinstance(value, str) else value


OWN_VARIABLES = frozenset({"repo", "agent", "name", "prompt", "check"})
"""Variables that need not be written; the last two are a template's own."""

Name = Annotated[str, AfterValidator(_task_name)]
Words = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], Field(max_length=64)]
Rounds = Annotated[int, Field(strict=True, ge=1, le=100)]


class CommonWords(Record):
    """What can be said of a task, at whichever level; `None` leaves it to the level above."""

    agent: Words | None = Field(default=None, description="Who works, as in `--agent`.")
    model: Words | None = Field(default=None, description="The model, as in `--model`.")
    prompt: Words | None = Field(default=None, description="What is asked of the agent, with `{variables}`.")
    prompt_file: Words | None = Field(default=None, description="A file with the prompt, beside the batch file.")
    template: Words | None = Field(default=None, description="A text that the prompt is put into, as in `--template`.")
    command: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        default=None, description="A command to run instead of an agent, word by word."
    )
    policy: Words | None = Field(default=None, description="A preset, a file beside the batch file, or `repo`.")
    repo_policy: bool | None = Field(
        default=None, strict=True, description="`false` leaves out the policy that the repository brings."
    )
    image: Words | None = Field(default=None, description="As in `--image`.")
    base: Words | None = Field(default=None, description="The revision to begin at.")
    check: Words | None = Field(default=None, description="A shell command that has to succeed on what was committed.")
    until: Words | None = Field(default=None, description="The same, and while it fails the agent goes on.")
    max_rounds: Rounds | None = Field(default=None, description="How often the agent may work, with `until` or review.")
    review: Words | None = Field(default=None, description="The agent that reviews the branch.")
    artifacts: tuple[str, ...] | None = Field(default=None, description="Globs of files to hand over.")
    context: tuple[str, ...] | None = Field(
        default=None, description="Files and folders that the agent gets copies of."
    )
    beside: tuple[str, ...] | None = Field(default=None, description="Other repositories to read, as in `--with`.")
    notes: bool | None = Field(default=None, strict=True, description="Ask the agent to keep plan.md and notes.md.")
    dirty: bool | None = Field(default=None, strict=True, description="Carry uncommitted changes along.")
    expect_changes: bool | None = Field(
        default=None, strict=True, description="Whether a run that leaves nothing counts as failed."
    )
    env: Annotated[dict[str, str], AfterValidator(_public)] | None = Field(
        default=None, description="Variables inside; levels add up."
    )
    pass_secrets: tuple[str, ...] | None = Field(default=None, description="Secrets to hand over, by name.")
    attempts: Annotated[int, Field(strict=True, ge=1, le=MOST_ATTEMPTS)] | None = Field(
        default=None, description="How many runs; the best is chosen by its check, then by the smallest diff."
    )
    retry_failed: Annotated[int, Field(strict=True, ge=0, le=10)] | None = Field(
        default=None, description="How often a run whose agent failed is made again."
    )
    tags: Names | None = Field(default=None, description="Words of your own; levels add up.")
    variables: Annotated[dict[str, str], AfterValidator(_variables)] | None = Field(
        default=None, description="What `{name}` stands for in prompts; levels add up."
    )


class RepoWords(CommonWords):
    """One repository, and what holds for every task on it."""

    repo: Words = Field(description="A path, relative to the batch file, or a URL without credentials.")


class PromptWords(Record):
    """One prompt of the matrix."""

    name: Name | None = Field(default=None, description="What stands for it in the tasks' names.")
    prompt: Words | None = Field(default=None, description="The prompt.")
    prompt_file: Words | None = Field(default=None, description="A file with it.")
    template: Words | None = Field(default=None, description="A text that it is put into.")


class AgentWords(Record):
    """One agent of the matrix."""

    agent: Words = Field(description="Who works.")
    model: Words | None = Field(default=None, description="The model.")
    image: Words | None = Field(default=None, description="The image.")


class Matrix(Record):
    """Every repository with every prompt and every agent."""

    repos: tuple[Annotated[RepoWords, BeforeValidator(_as_repo)], ...] = Field(
        default=(), description="Repositories; without them, those of `[[repos]]`."
    )
    prompts: tuple[Annotated[PromptWords, BeforeValidator(_as_prompt)], ...] = Field(
        default=(), description="Prompts; without them, that of `[defaults]`."
    )
    agents: tuple[Annotated[AgentWords, BeforeValidator(_as_agent)], ...] = Field(
        default=(), description="Agents; without them, that of `[defaults]`."
    )


class TaskWords(CommonWords):
    """One task; without `repo` it is one for each of `[[repos]]`."""

    name: Name | None = Field(default=None, description="Its name, for `needs` and for commands.")
    repo: Words | None = Field(default=None, description="A path, relative to the batch file, or a URL.")
    needs: tuple[Words, ...] = Field(
        default=(), max_length=64, description="Tasks that have to succeed first: names, or globs of names."
    )


class ProviderWords(Record):
    """One provider of models."""

    max: int = Field(strict=True, ge=1, le=10_000, description="Tasks that may use it at one time.")


class MachineWords(Record):
    """What may be handed out of this machine to all tasks at one time; without it, all that it has."""

    cpus: float | None = Field(
        default=None, strict=True, gt=0, le=65_536, allow_inf_nan=False, description="CPUs; may be more than there are."
    )
    memory: str | None = Field(default=None, description='Memory, as in "12GiB"; at most what there is.')


class BatchFile(Record):
    """The whole file."""

    description: str = Field(default="", max_length=1000, description="What it is for.")
    defaults: CommonWords = Field(
        default=CommonWords(), description="What holds for every task that says nothing else."
    )
    repos: tuple[RepoWords, ...] = Field(default=(), description="Repositories, each with what holds for it.")
    matrix: Matrix | None = Field(default=None, description="Every repository with every prompt and every agent.")
    tasks: tuple[TaskWords, ...] = Field(default=(), description="Tasks one by one.")
    providers: dict[str, ProviderWords] = Field(default={}, description="Bounds by provider, as in `anthropic`.")
    machine: MachineWords = Field(default=MachineWords(), description="Bounds of this machine.")


class Work(Record):
    """What a task of a batch is, once everything is put together; the same for each of its attempts."""

    task: Task
    until: bool = False
    """Whether the check sends the agent back to work."""
    max_rounds: int | None = None
    review: str = ""
    retry_failed: int = 0


class Item(Record):
    """One task of a batch: a name of its own, how often it is attempted, and what has to come first."""

    name: str
    place: str
    """`file:line`, for messages."""
    work: Work
    attempts: int = 1
    needs: tuple[str, ...] = ()
    """Names of other tasks of the batch."""
    tags: tuple[str, ...] = ()


class Bounds(Record):
    """What all tasks together may take up at one time."""

    providers: dict[str, int] = {}
    cpus: float | None = None
    """`None`: what the machine has."""
    memory: int | None = None
    """Bytes."""


class Batch(Record):
    """A batch file with everything in it put together."""

    file: str
    """As it was named, absolute."""
    items: tuple[Item, ...]
    bounds: Bounds = Bounds()


class BatchOptions(Record):
    """How a batch is carried out; kept with it, so that it is gone on with in the same way."""

    jobs: int = 8
    fail_fast: bool = False
    max_cost: float | None = None
    """US dollars for all of it."""
    bounds: Bounds = Bounds()
