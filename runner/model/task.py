"""What is to be done: a repository, where to begin, who does it, and under which policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from runner.model.base import Record
from runner.model.paths import check_glob

TaskResult = Literal["branch", "answer", "touched"]

RESERVED_NAMES = frozenset({"last"})
"""Words that name a run already."""

USUAL_ROUNDS = 5
"""How often an agent may work where nothing is said."""

LONGEST_ARGUMENT = 120_000
"""Bytes of one argument or variable; Linux takes 128 KiB (execve(2), MAX_ARG_STRLEN), and some words grow a little."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


class Remaining(Record):
    """What earlier rounds of one piece of work have left of its limits; `None`: that limit is not set."""

    wall_clock: float
    """Seconds."""
    tokens: int | None = None
    cost_usd: float | None = None


class Task(Record):
    """One piece of work, as the user asked for it; everything is decided, nothing is looked up."""

    version: Literal[1] = 1
    repo: str
    """An absolute path, or a URL without credentials."""
    base: str = ""
    """A revision of the repository; empty means its HEAD."""
    name: str = ""
    """The user's own name for the run; empty means that one is made from the agent."""
    agent: str = "command"
    argv: tuple[str, ...] = ()
    """For the agent `command`: what to run."""
    prompt: str = ""
    """For every other agent: what is asked of it."""
    title: str = ""
    """The user's own words, where the prompt says more than these; empty: the prompt itself."""
    model: str = ""
    """The model, as the agent or its provider names it; empty: the agent's own choice."""
    template: str = ""
    """The name of the text that the prompt was put into; empty: none."""
    result: TaskResult = "branch"
    """What is wanted: commits on a branch; an answer in words; or a list of the files that it would touch."""
    notes: bool = False
    """Whether the agent is to keep plan.md and notes.md in the repository."""
    context: tuple[str, ...] = ()
    """Files and folders of the host, absolute, of which the agent gets a copy at /context."""
    beside: tuple[str, ...] = ()
    """Other repositories, absolute paths or URLs, that the agent may read at /beside."""
    pass_secrets: tuple[str, ...] = ()
    """Secrets that the user wants inside the sandbox, by name."""
    continues: str = ""
    """The run that this one goes on with: its branch, and its agent's own conversation where that can be."""
    remaining: Remaining | None = None
    """What this run may use, where it is a later round; `None`: all that its policy grants."""
    check: str = ""
    """A shell command that has to succeed on what was committed, in a fresh sandbox without a network."""
    dirty: bool = False
    """Carry uncommitted, not ignored changes along as a first commit."""
    artifacts: tuple[str, ...] = ()
    """Globs of files that are handed over beside the commits; the effective policy has them, too."""
    environment: dict[str, str] = {}
    policy: str = "offline"
    """A preset's name, a file, or `repo`: the repository's own, once it is trusted."""
    repo_policy: bool = True
    """Whether a policy that the repository brings tightens the chosen one."""
    policy_base: str = ""
    """The commit whose policy that is, where others have worked since; empty: the commit that this run begins at."""
    image: str = ""
    """An image by name; empty means the shipped base image."""
    expect_changes: bool = False
    observe: bool = False
    """Open the network, and tell what the policy would have denied."""
    earlier: dict[str, str] = {}
    """Runs whose work the agent may read at /context, by the names that it has there: name and run."""
    batch: str = ""
    """The task of a batch that this run is, as the ledger knows it; empty for a run of its own."""


def task_fault(task: Task) -> str:
    """Why `task` cannot be taken, in one sentence that repeats no value of a variable; empty if it can."""
    for what, text in _texts(task):
        if fault := text_fault(text):
            return f"{what} {fault}"
    for what, text in _arguments(task):
        if len(text.encode()) > LONGEST_ARGUMENT:
            return f"{what} is longer than {LONGEST_ARGUMENT} bytes, which no program can be given; put it into a file"
    if task.name and not _NAME.fullmatch(task.name):
        return "--name takes letters, digits, dots, hyphens and underscores, at most 64, a letter or digit first"
    if task.name in RESERVED_NAMES:
        return f"--name {task.name}: that word means the newest run already"
    return next(filter(None, map(glob_fault, task.artifacts)), "")


def glob_fault(glob: str) -> str:
    """Why `--artifact` cannot be `glob`; empty if it can."""
    try:
        check_glob(glob)
    except ValueError as error:
        return f"--artifact: {error}"
    return ""


def text_fault(text: str) -> str:
    """Why `text` can neither be written down nor handed to a program; empty if it can."""
    if "\0" in text:
        return "contains NUL"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "is not UTF-8 text"
    return ""


def _texts(task: Task) -> Iterator[tuple[str, str]]:
    yield from (
        ("The repository", task.repo),
        ("--base", task.base),
        ("--name", task.name),
        ("--agent", task.agent),
        ("The prompt", task.prompt),
        ("--policy", task.policy),
        ("--image", task.image),
        ("--model", task.model),
        ("--template", task.template),
        ("--check", task.check),
        *(("--context", path) for path in task.context),
        *(("--with", place) for place in task.beside),
        *(("--artifact", glob) for glob in task.artifacts),
        *(("--pass-secret", name) for name in task.pass_secrets),
    )
    yield from ((f"Word {number} of the command", word) for number, word in enumerate(task.argv, 1))
    for name, value in task.environment.items():
        yield "The name of a variable in --env", name
        yield f"The value of {name} in --env", value


def _arguments(task: Task) -> Iterator[tuple[str, str]]:
    """What a program is given whole; a prompt is not, its length is the agent's affair."""
    yield "--check", task.check
    yield from ((f"Word {number} of the command", word) for number, word in enumerate(task.argv, 1))
    yield from ((f"The variable {name} in --env", f"{name}={value}") for name, value in task.environment.items())
