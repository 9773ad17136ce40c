"""The commands and their options; each one imports what it needs when it runs, so that `--help` is quick.

`main` is the one place that ends the process, and holds one of the program's two broad excepts.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from runner.errors import PaddockError

app = typer.Typer(
    name="paddock",
    help="Run coding agents unattended, in containers that you can trust.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
policy_app = typer.Typer(help="Look at policies: what a sandbox may do.", no_args_is_help=True, rich_markup_mode=None)
image_app = typer.Typer(help="Build, list and remove the shipped images.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(policy_app, name="policy")
app.add_typer(image_app, name="image")

# Typer reads these annotations at run time, hence Optional and no future syntax inside.
Repo = Annotated[str, typer.Argument(metavar="REPO", help="A path to a git repository, or a URL.", show_default=False)]
Words = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Argument(
        metavar="-- CMD ARGS... | PROMPT", help="The command after --, or a prompt for --agent.", show_default=False
    ),
]
PolicyOption = Annotated[
    str | None, typer.Option("--policy", "-p", help="A preset's name or a policy file. [default: offline]")
]
AgentOption = Annotated[str | None, typer.Option("--agent", "-a", help="Who works: command, demo. [default: command]")]
PromptFile = Annotated[Optional[Path], typer.Option("--prompt-file", help="Read the prompt from a file.")]  # noqa: UP045
NameOption = Annotated[str, typer.Option("--name", help="A name of your own for the run.")]
BaseOption = Annotated[str, typer.Option("--base", help="Begin at this revision. [default: HEAD]")]
DirtyOption = Annotated[bool, typer.Option("--dirty", help="Carry uncommitted changes along as a first commit.")]
EnvOption = Annotated[
    list[str] | None, typer.Option("--env", "-e", metavar="K=V", help="Set a variable inside; may be repeated.")
]
ImageOption = Annotated[str, typer.Option("--image", help="Another image than the shipped one.")]
ExpectOption = Annotated[bool, typer.Option("--expect-changes", help="Exit with 3 when the agent left nothing.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result document on stdout, and nothing else.")]
RunId = Annotated[
    str, typer.Argument(metavar="ID", help="A run: its id, a unique beginning of it, its name, or `last`.")
]


@app.callback(invoke_without_command=True)
def version_option(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Run coding agents unattended, in containers that you can trust."""
    if version:
        from runner import __version__

        typer.echo(f"paddock {__version__}")
        raise typer.Exit


@app.command()
def run(  # noqa: PLR0913, PLR0917 - one parameter for each option
    repo: Repo,
    words: Words = None,
    policy: PolicyOption = None,
    agent: AgentOption = None,
    prompt_file: PromptFile = None,
    name: NameOption = "",
    base: BaseOption = "",
    dirty: DirtyOption = False,
    env: EnvOption = None,
    image: ImageOption = "",
    expect_changes: ExpectOption = False,
    json: JsonOption = False,
) -> None:
    """Let an agent work on a repository, in a sandbox; its commits arrive as a branch."""
    from runner.cli.running import TaskOptions, run_command

    options = TaskOptions(
        repo=repo,
        words=words or [],
        policy=policy,
        agent=agent,
        prompt_file=prompt_file,
        name=name,
        base=base,
        dirty=dirty,
        env=env or [],
        image=image,
        expect_changes=expect_changes,
    )
    raise typer.Exit(run_command(options, as_json=json))


@app.command()
def plan(  # noqa: PLR0913, PLR0917
    repo: Repo,
    words: Words = None,
    policy: PolicyOption = None,
    agent: AgentOption = None,
    prompt_file: PromptFile = None,
    name: NameOption = "",
    base: BaseOption = "",
    dirty: DirtyOption = False,
    env: EnvOption = None,
    image: ImageOption = "",
    docker: Annotated[bool, typer.Option("--docker", help="Print what Docker would be asked for instead.")] = False,
) -> None:
    """Print what a run would be given, and start nothing; needs no engine."""
    from runner.cli.running import TaskOptions, plan_command

    options = TaskOptions(
        repo=repo,
        words=words or [],
        policy=policy,
        agent=agent,
        prompt_file=prompt_file,
        name=name,
        base=base,
        dirty=dirty,
        env=env or [],
        image=image,
    )
    plan_command(options, docker=docker)


@app.command()
def ps(
    all_runs: Annotated[bool, typer.Option("--all", "-a", help="Finished runs too.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many, newest first.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List the runs that are under way."""
    from runner.cli.listing import list_runs

    list_runs(all_runs=all_runs, limit=limit, as_json=json)


@app.command()
def show(run_id: RunId = "last", json: JsonOption = False) -> None:
    """Show how a run ended: outcome, commits, gates, limits, what to do next."""
    from runner.cli.looking import show_run

    show_run(run_id, as_json=json)


@app.command()
def logs(
    run_id: RunId = "last",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run is over.")] = False,
) -> None:
    """Print what the agent printed; raw into a file or pipe, escaped on a terminal."""
    from runner.cli.looking import print_log

    print_log(run_id, follow=follow)


@app.command()
def diff(run_id: RunId = "last") -> None:
    """Print the whole change as a patch; raw into a file or pipe, escaped on a terminal."""
    from runner.cli.looking import print_diff

    print_diff(run_id)


@app.command()
def stop(
    run_id: RunId,
    now: Annotated[bool, typer.Option("--now", help="Kill at once; what there is is still collected.")] = False,
) -> None:
    """End a run; its work is collected."""
    from runner.cli.managing import stop_run

    stop_run(run_id, now=now)


@app.command()
def rm(
    run_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Runs that are over.")],
) -> None:
    """Forget runs and delete their directories; branches stay in the repository."""
    from runner.cli.managing import remove_runs

    remove_runs(run_ids)


@app.command()
def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", help='Also forget finished runs that are older, as in "30d".')
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Remove what dead runs left behind: containers and half-made directories."""
    from runner.cli.managing import prune_runs

    prune_runs(older_than=older_than, dry_run=dry_run)


@app.command()
def merge(run_id: RunId) -> None:
    """Merge a run's branch into the checked-out one: fast-forward, or a merge commit."""
    from runner.cli.managing import merge_run

    merge_run(run_id)


@app.command()
def doctor(json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """Look at engine, kernel, git and disk; say what each means and what to do."""
    from runner.cli.doctor import run_doctor

    raise typer.Exit(run_doctor(as_json=json))


@policy_app.command("list")
def policy_list() -> None:
    """The policies that can be asked for by name."""
    from runner.cli.policies import list_shipped

    list_shipped()


PolicyName = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A preset's name or a policy file.")]


@policy_app.command("show")
def policy_show(policy: PolicyName = "offline") -> None:
    """The effective policy, everything it extends taken in, as TOML."""
    from runner.cli.policies import show_policy

    show_policy(policy)


@policy_app.command("check")
def policy_check(policy: PolicyName) -> None:
    """Whether a policy is right, and whether this version can enforce all of it."""
    from runner.cli.policies import check_policy

    check_policy(policy)


@policy_app.command("explain")
def policy_explain(policy: PolicyName = "offline") -> None:
    """Every effective value with the file and line that it came from."""
    from runner.cli.policies import explain_policy

    explain_policy(policy)


@policy_app.command("schema")
def policy_schema(
    result: Annotated[bool, typer.Option("--result", help="The schema of the result document instead.")] = False,
) -> None:
    """The JSON Schema of policy files, for editors."""
    from runner.cli.policies import print_schema

    print_schema(result=result)


@image_app.command("build")
def image_build() -> None:
    """Build the base image now, rather than at the first run."""
    from runner.cli.images import build_image

    build_image()


@image_app.command("list")
def image_list() -> None:
    """The images that Paddock built."""
    from runner.cli.images import list_images

    list_images()


@image_app.command("rm")
def image_rm(
    tags: Annotated[list[str], typer.Argument(metavar="TAG...", help="As `paddock image list` shows them.")],
) -> None:
    """Remove images that Paddock built."""
    from runner.cli.images import remove_images

    remove_images(tags)


def main() -> None:
    """The command `paddock`: runs one command and ends the process with its exit code."""
    try:
        app(standalone_mode=True)
    except PaddockError as error:
        from runner.cli.terminal import print_error

        print_error(error)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read us has gone (`paddock logs | head`); nothing is wrong.
        sys.exit(0)
    except Exception as error:  # noqa: BLE001 - the top of the program: a bug, told as one
        import traceback

        traceback.print_exc()
        sys.stderr.write(
            f"paddock: this is a bug in Paddock ({type(error).__name__}); nothing of yours was changed by it.\n"
        )
        sys.exit(1)
