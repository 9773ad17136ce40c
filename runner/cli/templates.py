"""`paddock template ...`: look at prompt templates; each command imports what it needs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

template_app = typer.Typer(
    help="Look at templates: prompts with a place for your words.", no_args_is_help=True, rich_markup_mode=None
)


def add_templates(app: typer.Typer) -> None:
    """Register the commands."""
    app.add_typer(template_app, name="template")


@template_app.command("list")
def template_list() -> None:
    """The templates that --template takes, yours and the shipped ones."""
    from runner.cli.terminal import answer, table
    from runner.settings import own_templates
    from runner.store.templates import list_templates

    rows = [
        (found.template.name, found.template.result, "yours" if found.own else "shipped", found.template.description)
        for found in list_templates(own_templates())
    ]
    for line in table(("NAME", "RESULT", "FROM", "WHAT FOR"), rows):
        answer(line)


@template_app.command("show")
def template_show(name: Annotated[str, typer.Argument(metavar="NAME", help="As the list shows it.")]) -> None:
    """A template's file as it is. Copy it into your own folder to change it; stderr says where that is."""
    from runner.cli.terminal import answer, say, visible
    from runner.escape import escape_text
    from runner.settings import own_templates
    from runner.store.templates import find_template

    own = own_templates()
    found = find_template(name, own)
    say(escape_text(f"this is {found.path}" + ("" if found.own else f"; yours would be {own / found.path.name}")))
    answer(visible(found.path.read_text(encoding="utf-8")).rstrip("\n"))
