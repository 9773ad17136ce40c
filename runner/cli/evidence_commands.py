"""`paddock artifacts` and `verify` as commands; each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from runner.cli.options import RunId


def add_evidence(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("artifacts")(artifacts)
    app.command("verify")(verify)


def artifacts(
    run_id: RunId = "last",
    to: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--to", metavar="DIR", help="Copy them there. Nothing is overwritten, no link followed."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """List the files that a run handed over beside its commits, or copy them."""
    from runner.cli.artifacts import artifacts_command

    artifacts_command(run_id, to=to, as_json=json)


def verify(
    name: Annotated[str, typer.Argument(metavar="ID|BRANCH", help="A run, or a branch that a run made.")] = "last",
    signers: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--signers", metavar="FILE", help="Who may have signed: allowed signers as in ssh-keygen(1)."),
    ] = None,
    record: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--record", metavar="FILE", help="The record, where the run's directory is not at hand."),
    ] = None,
    repo: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--repo", metavar="PATH", help="The repository. [default: the run's; with --record the one here]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Compare the record of a run with its signature, its branches, and the files that it left."""
    from runner.cli.verifying import verify_command

    raise typer.Exit(verify_command(name, signers=signers, record=record, repo=repo, as_json=json))
