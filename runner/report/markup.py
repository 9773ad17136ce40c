"""Elements of HTML and SVG: whatever was not made here is text, and stays text. Pure."""

from __future__ import annotations

import html

from runner.report.cells import readable


class Markup(str):
    """Markup. Any other string is escaped where it is put into an element: an f-string of markup, too."""

    __slots__ = ()


def element(name: str, *content: str, **attributes: str | float) -> Markup:
    """One element. `_` in an attribute's name is `-`, but for one at its end, as in `class_`."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_spelled(value))}"' for key, value in attributes.items()
    )
    return Markup(f"<{name}{words}>{joined(*content)}</{name}>")


def joined(*content: str) -> Markup:
    """Pieces one after another; text is escaped, and what it hides is spelled out."""
    return Markup("".join(each if isinstance(each, Markup) else html.escape(readable(each)) for each in content))


def _spelled(value: str | float) -> str:
    return readable(value).replace("\n", " ") if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
