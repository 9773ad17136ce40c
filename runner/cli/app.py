"""The commands and their options; each one imports what it needs when it runs, so that `--help` is quick.

`main` is the one place that ends the process, and holds one of the program's two broad excepts.
"""

from __future__ import annotations

import errno
import gc
import sys
from copy import copy
from typing import Annotated, NoReturn

import typer

from runner.cli.batch_commands import batch_app
from runner.cli.ci_commands import add_ci
from runner.cli.evidence_commands import add_evidence
from runner.cli.following_commands import add_following
from runner.cli.options import (
    DoctorJson,
    EngineOption,
    JsonOption,
    LiveOption,
    NetworkCheck,
    RunId,
    StateDirOption,
    TranscriptOption,
)
from runner.cli.reaching_commands import add_reaching
from runner.cli.subcommands import image_app, policy_app
from runner.cli.task_commands import add_tasks
from runner.cli.templates import add_templates
from runner.cli.trusting_commands import add_trusting
from runner.errors import PaddockError, UsageError
from runner.settings import leave_plugins_out, read_by_ci

UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
"""A disk that is full, broken or closed to us, under what we say or write: no bug of ours."""

app = typer.Typer(
    name="paddock",
    help="Run coding agents unattended, in containers that you can trust.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(policy_app, name="policy")
app.add_typer(image_app, name="image")
app.add_typer(batch_app, name="batch")


@app.callback(invoke_without_command=True)
def global_options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
    state_dir: StateDirOption = None,
    engine: EngineOption = None,
) -> None:
    """Run coding agents unattended, in containers that you can trust."""
    if version:
        from runner import __version__

        typer.echo(f"paddock {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise UsageError("There is no command.", hint="`paddock --help` lists them.")
    from runner.settings import override

    override(state_dir=state_dir, engine=engine)


add_tasks(app)
add_ci(app)


@app.command()
def ps(
    all_runs: Annotated[bool, typer.Option("--all", "-a", help="Finished runs too.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many, newest first.")] = 50,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List the runs that are under way. With -a, finished ones too."""
    from runner.cli.listing import list_runs

    list_runs(all_runs=all_runs, limit=limit, as_json=json)


@app.command()
def show(run_id: RunId = "last", json: JsonOption = False) -> None:
    """Show how a run ended, and what to do next. Commits, gates, limits, timings."""
    from runner.cli.looking import show_run

    show_run(run_id, as_json=json)


@app.command()
def logs(
    run_id: RunId = "last",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run is over.")] = False,
    transcript: TranscriptOption = False,
    live: LiveOption = False,
) -> None:
    """Print what the agent printed. Raw into a file or pipe, escaped on a terminal."""
    from runner.cli.looking import print_activity, print_log, print_transcript

    if transcript and live:
        raise UsageError("--transcript and --live say two things.", hint="Leave one out.")
    shown = print_transcript if transcript else print_activity if live else print_log
    shown(run_id, follow=follow)


@app.command()
def diff(run_id: RunId = "last") -> None:
    """Print the whole change as a patch. Raw into a file or pipe, escaped on a terminal."""
    from runner.cli.looking import print_diff

    print_diff(run_id)


@app.command()
def network(
    run_id: RunId = "last",
    all_rows: Annotated[bool, typer.Option("--all", "-a", help="Every row, the self-test's own question too.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document, with every row.")] = False,
) -> None:
    """Show what a run asked of the network. Also while it runs."""
    from runner.cli.network import show_network

    show_network(run_id, all_rows=all_rows, as_json=json)


add_following(app)


@app.command()
def stop(
    run_id: RunId,
    now: Annotated[bool, typer.Option("--now", help="Kill at once; what there is is still collected.")] = False,
) -> None:
    """End a run, and collect its work."""
    from runner.cli.managing import stop_run

    stop_run(run_id, now=now)


@app.command()
def rm(
    run_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Runs that are over.")],
    force: Annotated[bool, typer.Option("--force", help="Also with work that was not collected.")] = False,
) -> None:
    """Forget finished runs. Their branches stay in the repository."""
    from runner.cli.managing import remove_runs

    remove_runs(run_ids, force=force)


@app.command()
def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", help='Also forget finished runs that are older, as in "30d".')
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also work that was not collected.")] = False,
    caches: Annotated[bool, typer.Option("--caches", help="Also the policies' caches that no run is using.")] = False,
) -> None:
    """Remove what dead runs left behind. Containers, and directories of no run."""
    from runner.cli.managing import prune_runs

    prune_runs(older_than=older_than, dry_run=dry_run, force=force, caches=caches)


@app.command()
def merge(run_id: RunId) -> None:
    """Merge a run's branch into the checked-out one. Fast-forward, or a merge commit."""
    from runner.cli.managing import merge_run

    merge_run(run_id)


@app.command()
def doctor(network: NetworkCheck = False, json: DoctorJson = False) -> None:
    """Look at engine, kernel, git and disk. Says what each finding means and what to do."""
    from runner.cli.doctor import run_doctor

    raise typer.Exit(run_doctor(as_json=json, network=network))


@app.command()
def recover(
    run_id: Annotated[str, typer.Argument(metavar="[ID]", help="A run; without it, every run that needs it.")] = "",
    stop: Annotated[bool, typer.Option("--stop", help="End agents that are still at work.")] = False,
) -> None:
    """Take up runs whose Paddock died. Agents at work are watched on, work that was not collected is collected."""
    from runner.cli.recovering import recover_command

    raise typer.Exit(recover_command(run_id, stop=stop))


add_reaching(app)
add_evidence(app)
add_templates(app)
add_trusting(app)


def main() -> NoReturn:
    """The command `paddock`: runs one command and ends the process with its exit code."""
    # Hundreds of modules are loaded and none is ever thrown away: looking for cycles among them is a tenth of a second.
    gc.set_threshold(100_000, 50, 50)
    leave_plugins_out()
    if None in {sys.stdin, sys.stdout, sys.stderr}:
        from runner.cli.terminal import open_closed_streams

        open_closed_streams()
    if read_by_ci():
        from runner.cli.ci_log import guard_streams

        guard_streams()
    code = exit_code_of_command()
    from runner.cli.terminal import end_process

    end_process(code)


def only(command: str) -> typer.Typer:
    """The program with that command alone, where there is one: the options of all the others cost 10 ms to set up."""
    named = {each.name or getattr(each.callback, "__name__", ""): each for each in app.registered_commands}
    commands = [named[command]] if command in named else []
    groups = [each for each in app.registered_groups if command == each.name]
    if not (commands or groups):
        return app
    alone = copy(app)
    alone.registered_commands, alone.registered_groups = commands, groups
    return alone


def exit_code_of_command() -> int:
    """Run what the command line says; everything that goes wrong has been told."""
    try:
        only(sys.argv[1] if len(sys.argv) > 1 else "")(standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except PaddockError as error:
        from runner.cli.terminal import print_error

        print_error(error)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read us has gone (`paddock logs | head`). A run never ends here: it goes on without being watched.
        from runner.cli.terminal import abandon

        abandon(sys.stdout)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            return tell_bug(error)
        from runner.escape import escape_text

        what = escape_text(str(error.filename)) if error.filename else "The answer could not be written"
        sys.stderr.write(f"paddock: {what}: {error.strerror}.\n")
        return 1
    except Exception as error:  # noqa: BLE001 - the top of the program: a bug, told as one
        return tell_bug(error)
    return 0


def tell_bug(error: Exception) -> int:
    """What nobody foresaw, with all that helps to find it; the exit code."""
    import traceback

    traceback.print_exception(error)
    sys.stderr.write(
        f"paddock: this is a bug in Paddock ({type(error).__name__}); `paddock ps` shows what still runs.\n"
    )
    return 1
