"""`paddock ci` as a command: what `run` takes, and where its results go."""

# No `from __future__ import annotations` here: Typer reads these at run time.

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from runner.cli.options import (
    AgentOption,
    ArtifactOption,
    BaseOption,
    CheckOption,
    ContextOption,
    DirtyOption,
    EnvOption,
    ExpectOption,
    ImageOption,
    JsonOption,
    ModelOption,
    NameOption,
    NoRepoPolicy,
    NotesOption,
    ObserveOption,
    PassSecretOption,
    PolicyOption,
    PromptFile,
    QuietOption,
    RawOption,
    ReviewOption,
    RoundsOption,
    TemplateOption,
    UntilOption,
    WithOption,
    Words,
)


def add_ci(app: typer.Typer) -> None:
    """Register the command."""
    app.command("ci")(ci)


def ci(  # noqa: PLR0913, PLR0917 - one parameter for each option
    words: Words = None,
    repo: Annotated[str, typer.Option("--repo", metavar="REPO", help="A repository. [default: the checkout]")] = ".",
    policy: PolicyOption = None,
    no_repo_policy: NoRepoPolicy = False,
    agent: AgentOption = None,
    model: ModelOption = "",
    prompt_file: PromptFile = None,
    template: TemplateOption = "",
    context: ContextOption = None,
    beside: WithOption = None,
    artifact: ArtifactOption = None,
    notes: NotesOption = False,
    name: NameOption = "",
    base: BaseOption = "",
    dirty: DirtyOption = False,
    env: EnvOption = None,
    pass_secret: PassSecretOption = None,
    image: ImageOption = "",
    expect_changes: ExpectOption = False,
    check: CheckOption = "",
    until: UntilOption = "",
    max_rounds: RoundsOption = None,
    review: ReviewOption = "",
    observe: ObserveOption = False,
    quiet: QuietOption = False,
    raw: RawOption = False,
    json: JsonOption = False,
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
) -> None:
    """A run as a step of a pipeline: job summary, annotations, outputs, JUnit, artifacts; the exit codes of `run`."""
    places = ("artifacts", "junit", "dotenv", "summary")
    given: dict[str, Any] = dict(locals())
    wanted = {key: given.pop(key) for key in places}
    del given["places"]
    from runner.cli.ci import ci_command
    from runner.cli.ci_files import CiFiles
    from runner.cli.running import TaskOptions

    options = TaskOptions(**{key: value for key, value in given.items() if value is not None})
    raise typer.Exit(ci_command(options, CiFiles(**wanted)))
