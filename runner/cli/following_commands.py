"""`paddock attach` and `paddock wait` as commands; each imports what it needs when it runs."""

# No `from __future__ import annotations` here: Typer reads these at run time.

from typing import Annotated, Optional

import typer

from runner.cli.options import RawOption, RunId


def add_following(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("attach")(attach)
    app.command("wait")(wait)


def attach(
    run_id: RunId = "last",
    tail: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--tail", min=0, help="Begin with the last lines that the agent printed, not with the first."),
    ] = None,
    raw: RawOption = False,
) -> None:
    """Watch a run under way, and end with its exit code. Ctrl-C leaves the run alone."""
    from runner.cli.attaching import attach_command

    raise typer.Exit(attach_command(run_id, tail=tail, raw=raw))


def wait(
    run_ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="Runs: ids, unique beginnings of them, names, or `last`.")
    ],
    timeout: Annotated[str, typer.Option("--timeout", help='Wait no longer than that, as in "30m".')] = "",
    json: Annotated[bool, typer.Option("--json", help="One result document in a line for each run.")] = False,
) -> None:
    """Wait until runs are over. Ends with the first exit code that is not 0."""
    from runner.cli.waiting import wait_for_runs

    raise typer.Exit(wait_for_runs(run_ids, timeout=timeout, as_json=json))
