"""`paddock run`, `plan`, `new` and `continue` as commands: many options, each of which is a word of `TaskOptions`."""

# No `from __future__ import annotations` here: Typer reads these at run time.

from typing import Annotated, Any

import typer

from runner.cli.options import TASK_OPTIONS, Repo, RunId, Words, takes

WORKING = frozenset({"check", "until", "max_rounds", "review", "quiet", "raw", "detach", "json"})
"""How the work is looked at: when it is over, and while it goes on."""
DECIDING = TASK_OPTIONS.keys() - WORKING - {"expect_changes"}
"""What decides on a run."""
BEGINNING = TASK_OPTIONS.keys() - {
    *("no_repo_policy", "base", "dirty", "observe", "expect_changes"),
    *("prompt_file", "name", "pass_secret"),
}
"""What there is to say of a repository that is not there yet."""
GOING_ON = WORKING | {"prompt_file", "name", "env"}
"""What may differ from the run that is continued."""


def add_tasks(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("run")(run)
    app.command("continue")(go_on)
    app.command("new")(new)
    app.command("plan")(plan)


@takes(TASK_OPTIONS)
def run(repo: Repo, words: Words = None, **given: Any) -> None:
    """Let an agent work on a repository, in a sandbox. Its commits arrive as a branch."""
    options = task_options(repo=repo, words=words, **given)
    from runner.cli.running import run_command

    raise typer.Exit(run_command(options))


@takes(DECIDING)
def plan(
    repo: Repo,
    words: Words = None,
    *,
    docker: Annotated[bool, typer.Option("--docker", help="Print what Docker would be asked for instead.")] = False,
    **given: Any,
) -> None:
    """Print what a run would be given. Starts nothing and needs no engine."""
    options = task_options(repo=repo, words=words, **given)
    from runner.cli.planning import plan_command

    plan_command(options, docker=docker)


@takes(BEGINNING)
def new(
    folder: Annotated[str, typer.Argument(metavar="NAME", help="A folder that is not there yet, or is empty.")],
    words: Annotated[list[str], typer.Argument(metavar="PROMPT", help="What is to be made.")],
    **given: Any,
) -> None:
    """Start from nothing: a new repository, the files of --context as its first commit, and a run on it."""
    options = task_options(repo=folder, words=words, **given)
    from runner.cli.running import new_command

    raise typer.Exit(new_command(options))


@takes(GOING_ON)
def go_on(run_id: RunId, words: Words = None, **given: Any) -> None:
    """Go on where a run ended. On its branch, and in its agent's own conversation where that can be."""
    options = task_options(repo="", words=words, **given)
    from runner.cli.running import continue_command

    raise typer.Exit(continue_command(run_id, options))


def task_options(**given: Any) -> Any:
    """The words of the command line as `TaskOptions`; an option that was not given is left to its default."""
    from runner.cli.running import TaskOptions

    return TaskOptions(**{name: value for name, value in given.items() if value is not None})
