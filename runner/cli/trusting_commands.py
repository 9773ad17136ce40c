"""`paddock trust` as a command."""

# No `from __future__ import annotations` here: Typer reads these at run time.

from typing import Annotated

import typer

from runner.cli.options import BaseOption


def add_trusting(app: typer.Typer) -> None:
    """Register the command."""
    app.command("trust")(trust)


def trust(
    repo: Annotated[
        str, typer.Argument(metavar="[REPO]", help="A path to a git repository, or a URL.", show_default=False)
    ] = "",
    base: BaseOption = "",
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; what is trusted is shown all the same.")
    ] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="Show what is trusted, of all repositories or of REPO.")
    ] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Trust nothing of REPO any more.")] = False,
) -> None:
    """Show the image and the policy that a repository brings, and trust exactly these. Then `repo` names them."""
    from runner.cli.trusting import trust_command

    trust_command(repo, base, yes=yes, listed=listed, revoke=revoke)
