"""`paddock ci` as a command: what `run` takes, and where its results go."""

# No `from __future__ import annotations` here: Typer reads these at run time.

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from runner.cli.options import TASK_OPTIONS, Words, takes
from runner.cli.task_commands import task_options


def add_ci(app: typer.Typer) -> None:
    """Register the command."""
    app.command("ci")(ci)


@takes(TASK_OPTIONS.keys() - {"detach"})
def ci(  # noqa: PLR0913 - one parameter for each file
    words: Words = None,
    repo: Annotated[str, typer.Option("--repo", metavar="REPO", help="A repository. [default: the checkout]")] = ".",
    *,
    artifacts: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--artifacts", metavar="DIR", help="Copy result, record, diff, transcript and bundle there."),
    ] = None,
    junit: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--junit", metavar="FILE", help="JUnit XML: a case for the run, its check and each gate."),
    ] = None,
    dotenv: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--dotenv", metavar="FILE", help="Outcome, branch and so on as PADDOCK_... variables."),
    ] = None,
    summary: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--summary", metavar="FILE", help="Add a summary in Markdown. [default: $GITHUB_STEP_SUMMARY]"),
    ] = None,
    **given: Any,
) -> None:
    """A run as a step of a pipeline: job summary, annotations, outputs, JUnit, artifacts; the exit codes of `run`."""
    from runner.cli.ci import ci_command
    from runner.cli.ci_files import CiFiles

    options = task_options(repo=repo, words=words, **given)
    files = CiFiles(artifacts=artifacts, junit=junit, dotenv=dotenv, summary=summary)
    raise typer.Exit(ci_command(options, files))
