"""`paddock policy ...` and `paddock image ...`; each command imports what it needs when it runs."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

policy_app = typer.Typer(help="Look at policies: what a sandbox may do.", no_args_is_help=True, rich_markup_mode=None)
image_app = typer.Typer(help="Build, list and remove the shipped images.", no_args_is_help=True, rich_markup_mode=None)


@policy_app.command("list")
def policy_list() -> None:
    """The policies that can be asked for by name."""
    from runner.cli.policies import list_shipped

    list_shipped()


PolicyName = Annotated[str, typer.Argument(metavar="NAME|FILE", help="A preset's name or a policy file.")]


@policy_app.command("show")
def policy_show(policy: PolicyName = "offline") -> None:
    """The effective policy as one file. Everything that it extends is taken in."""
    from runner.cli.policies import show_policy

    show_policy(policy)


@policy_app.command("check")
def policy_check(policy: PolicyName) -> None:
    """Whether a policy can be used. It is right, and this version can enforce all of it."""
    from runner.cli.policies import check_policy

    check_policy(policy)


@policy_app.command("explain")
def policy_explain(
    policy: PolicyName = "offline",
    image: Annotated[
        str, typer.Option("--image", metavar="IMAGE", help="Ask this image what @python and its like are; or `base`.")
    ] = "",
    repo: Annotated[
        str, typer.Option("--repo", metavar="REPO", help="Within the policy that this repository brings, too.")
    ] = "",
    base: Annotated[str, typer.Option("--base", help="As this revision of REPO has it. [default: HEAD]")] = "",
) -> None:
    """Every effective value with the file and line that it came from, and what each group stands for."""
    from runner.cli.policies import explain_policy

    explain_policy(policy, image=image, repo=repo, base=base)


@policy_app.command("suggest")
def policy_suggest(
    run_id: Annotated[
        str, typer.Argument(metavar="ID", help="A run: its id, a unique beginning of it, its name, or `last`.")
    ] = "last",
) -> None:
    """The exact lines that would allow what a run was denied. For you to read; nothing is changed."""
    from runner.cli.network import suggest_policy

    suggest_policy(run_id)


@policy_app.command("schema")
def policy_schema(
    result: Annotated[bool, typer.Option("--result", help="The schema of the result document instead.")] = False,
) -> None:
    """The JSON Schema of policy files, for editors."""
    from runner.cli.policies import print_schema

    print_schema(result=result)


@image_app.command("build")
def image_build(
    names: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(metavar="NAME...", help="As for --image: base, claude, claude+python.", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every agent's and every stack's.")] = False,
) -> None:
    """Build shipped images now, rather than at the first run. Without a name: the base image."""
    from runner.cli.images import build_images

    build_images(names or [], every=every)


@image_app.command("wrap")
def image_wrap(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="An image without python3, as in `docker pull`.")],
) -> None:
    """Add python3 to an image. A sandbox's first process needs it; use the new tag with --image."""
    from runner.cli.images import wrap_image

    wrap_image(image)


@image_app.command("list")
def image_list() -> None:
    """The images that Paddock built."""
    from runner.cli.images import list_images

    list_images()


@image_app.command("outdated")
def image_outdated(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Compare the pinned versions with the newest ones of the registries. Nothing is changed."""
    from runner.cli.images import outdated_images

    outdated_images(as_json=as_json)


@image_app.command("rm")
def image_rm(
    tags: Annotated[list[str], typer.Argument(metavar="TAG...", help="As `paddock image list` shows them.")],
) -> None:
    """Remove images that Paddock built."""
    from runner.cli.images import remove_images

    remove_images(tags)
