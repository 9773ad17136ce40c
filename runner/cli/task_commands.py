"""`paddock run`, `plan` and `continue` as commands: many options, each of which is a word of `TaskOptions`."""

# No `from __future__ import annotations` here: Typer reads these at run time.

from typing import Annotated, Any

import typer

from runner.cli.options import (
    AgentOption,
    ArtifactOption,
    BaseOption,
    CheckOption,
    ContextOption,
    DetachOption,
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
    Repo,
    ReviewOption,
    RoundsOption,
    RunId,
    TemplateOption,
    UntilOption,
    WithOption,
    Words,
)


def add_tasks(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("run")(run)
    app.command("continue")(go_on)
    app.command("new")(new)
    app.command("plan")(plan)


def run(  # noqa: PLR0913, PLR0917 - one parameter for each option
    repo: Repo,
    words: Words = None,
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
    detach: DetachOption = False,
    json: JsonOption = False,
) -> None:
    """Let an agent work on a repository, in a sandbox. Its commits arrive as a branch."""
    given = _given(locals())
    from runner.cli.running import run_command

    raise typer.Exit(run_command(given))


def plan(  # noqa: PLR0913, PLR0917
    repo: Repo,
    words: Words = None,
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
    observe: ObserveOption = False,
    docker: Annotated[bool, typer.Option("--docker", help="Print what Docker would be asked for instead.")] = False,
) -> None:
    """Print what a run would be given. Starts nothing and needs no engine."""
    given = _given({name: value for name, value in locals().items() if name != "docker"})
    from runner.cli.planning import plan_command

    plan_command(given, docker=docker)


def new(  # noqa: PLR0913, PLR0917
    folder: Annotated[str, typer.Argument(metavar="NAME", help="A folder that is not there yet, or is empty.")],
    words: Annotated[list[str], typer.Argument(metavar="PROMPT", help="What is to be made.")],
    policy: PolicyOption = None,
    agent: AgentOption = None,
    model: ModelOption = "",
    template: TemplateOption = "",
    context: ContextOption = None,
    beside: WithOption = None,
    artifact: ArtifactOption = None,
    notes: NotesOption = False,
    env: EnvOption = None,
    image: ImageOption = "",
    check: CheckOption = "",
    until: UntilOption = "",
    max_rounds: RoundsOption = None,
    review: ReviewOption = "",
    quiet: QuietOption = False,
    raw: RawOption = False,
    detach: DetachOption = False,
    json: JsonOption = False,
) -> None:
    """Start from nothing: a new repository, the files of --context as its first commit, and a run on it."""
    given = _given({"repo": folder, **{key: value for key, value in locals().items() if key != "folder"}})
    from runner.cli.running import new_command

    raise typer.Exit(new_command(given))


def go_on(  # noqa: PLR0913, PLR0917
    run_id: RunId,
    words: Words = None,
    prompt_file: PromptFile = None,
    name: NameOption = "",
    env: EnvOption = None,
    check: CheckOption = "",
    until: UntilOption = "",
    max_rounds: RoundsOption = None,
    review: ReviewOption = "",
    quiet: QuietOption = False,
    raw: RawOption = False,
    detach: DetachOption = False,
    json: JsonOption = False,
) -> None:
    """Go on where a run ended. On its branch, and in its agent's own conversation where that can be."""
    given = _given({"repo": "", **{key: value for key, value in locals().items() if key != "run_id"}})
    from runner.cli.running import continue_command

    raise typer.Exit(continue_command(run_id, given))


def _given(parameters: dict[str, Any]) -> Any:
    """The words of the command line as `TaskOptions`; an option that was not given is left to its default."""
    from runner.cli.running import TaskOptions

    return TaskOptions(**{name: value for name, value in parameters.items() if value is not None})
