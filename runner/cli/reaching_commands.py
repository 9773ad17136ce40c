"""`paddock forward`, `exec`, `shell` as commands; each imports what it needs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from runner.cli.options import RunId


def add_reaching(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("forward")(forward)
    app.command("exec")(exec_command)
    app.command("shell")(shell)


def forward(
    run_id: RunId,
    ports: Annotated[
        list[str], typer.Argument(metavar="PORT[:PORT]...", help="A port inside, and which one of 127.0.0.1 it gets.")
    ],
) -> None:
    """Open a server of the agent's in your browser. On 127.0.0.1, until Ctrl-C or the run's end."""
    from runner.cli.reaching import forward_ports

    forward_ports(run_id, ports)


def exec_command(
    run_id: RunId,
    words: Annotated[list[str], typer.Argument(metavar="-- CMD ARGS...", help="The command, after --.")],
) -> None:
    """Run a command in the sandbox of a run under way. As the agent's user, under its limits."""
    from runner.cli.reaching import exec_inside

    raise typer.Exit(exec_inside(run_id, words))


def shell(run_id: RunId = "last") -> None:
    """Open a shell in the sandbox of a run under way. What it prints reaches the terminal as it is."""
    from runner.cli.reaching import open_shell

    raise typer.Exit(open_shell(run_id))
