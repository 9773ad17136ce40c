"""`paddock batch merge`, `push`, `pr` and `rm` as commands; each imports what it needs when it runs."""

# No `from __future__ import annotations` here: Typer reads these at run time.

from pathlib import Path
from typing import Annotated, Optional

import typer

from runner.cli.options import BatchId

Where = Annotated[
    str,
    typer.Option(
        "--where",
        "-w",
        metavar="EXPR",
        help="Which tasks, as in 'check=passed and not tag=risky'. [default: successes]",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Say what would be done, and do nothing.")]
AfterJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
RemoteName = Annotated[
    str, typer.Option("--remote", metavar="NAME", help="Of each repository; what came from a URL goes to that URL.")
]
BranchName = Annotated[
    str, typer.Option("--branch", metavar="NAME", help="The name there, as in 'bots/{name}'; see docs/batch.md.")
]


def add_after(app: typer.Typer) -> None:
    """Register the commands."""
    app.command("merge")(merge)
    app.command("push")(push)
    app.command("pr")(pr)
    app.command("rm")(rm)


def merge(batch: BatchId = "last", where: Where = "", dry_run: DryRun = False, json: AfterJson = False) -> None:
    """Merge branches into what is checked out in their repositories. One after the other; a conflict is taken back."""
    from runner.cli.batch_after import Asked, merge_batch

    raise typer.Exit(merge_batch(Asked(batch=batch, where=where, dry_run=dry_run, as_json=json)))


def push(  # noqa: PLR0913, PLR0917 - one parameter for each option
    batch: BatchId = "last",
    where: Where = "",
    remote: RemoteName = "origin",
    branch: BranchName = "{branch}",
    dry_run: DryRun = False,
    json: AfterJson = False,
) -> None:
    """Push branches, with your own credentials. Nothing is forced, and no branch that is not ours is touched."""
    from runner.batch.after import Push
    from runner.cli.batch_after import Asked, push_batch

    asked = Asked(batch=batch, where=where, dry_run=dry_run, as_json=json)
    raise typer.Exit(push_batch(asked, Push(remote=remote, branch=branch)))


def pr(  # noqa: PLR0913, PLR0917
    batch: BatchId = "last",
    where: Where = "",
    remote: RemoteName = "origin",
    branch: BranchName = "{branch}",
    title: Annotated[str, typer.Option("--title", metavar="TEXT", help="With variables, as in '{name}: {title}'.")] = (
        "{title}"
    ),
    body_file: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--body-file", metavar="FILE", help="The text, with variables. [default: a summary of the run]"),
    ] = None,
    base: Annotated[
        str, typer.Option("--base", metavar="BRANCH", help="Merge into it. [default: where the task began]")
    ] = "",
    draft: Annotated[bool, typer.Option("--draft", help="As drafts.")] = False,
    forge: Annotated[
        str, typer.Option("--forge", metavar="NAME", help="github or gitlab, for hosts of your own.")
    ] = "",
    dry_run: DryRun = False,
    json: AfterJson = False,
) -> None:
    """Push branches and open a pull request for each. Through gh or glab; what is open already stays as it is."""
    from runner.batch.after import Push
    from runner.batch.offering import Offer
    from runner.cli.batch_after import Asked, offer_batch

    asked = Asked(batch=batch, where=where, dry_run=dry_run, as_json=json)
    offer = Offer(title=title, base=base, draft=draft, forge=forge)
    raise typer.Exit(offer_batch(asked, Push(remote=remote, branch=branch), offer, body_file))


def rm(
    batch: Annotated[str, typer.Argument(metavar="ID", help="A batch: its id, or a unique beginning of it.")],
    runs: Annotated[
        bool, typer.Option("--runs", help="Its runs, too, and clones of URLs that nobody else uses.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also work that was not collected, and clones with branches in them.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Forget a batch that nobody carries out. Branches in your repositories stay."""
    from runner.cli.batch_after import remove_batch_of

    remove_batch_of(batch, runs=runs, force=force, dry_run=dry_run)
