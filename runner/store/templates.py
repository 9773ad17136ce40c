"""Finds prompt templates: the user's own files, and below them the shipped ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.errors import StoreError, UsageError
from runner.escape import escape_text
from runner.model.template import NAME, Template, parse_template
from runner.store.files import read_bounded

SHIPPED = Path(__file__).resolve().parents[1] / "templates"
MOST_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Found:
    """One template, and where it is."""

    template: Template
    path: Path
    own: bool
    """The user's, rather than a shipped one."""


def find_template(name: str, own: Path) -> Found:
    """The template of that name; `own` is the user's folder, which need not be there. Raises `UsageError`."""
    path = _paths(own).get(name)
    if path is None:
        raise UsageError(
            f"There is no template {escape_text(name)!r}.",
            hint=f"There are {', '.join(_paths(own))}; your own go into {escape_text(str(own))}/NAME.md.",
        )
    return _read(name, path, own)


def list_templates(own: Path) -> Iterator[Found]:
    """All of them, by name. Raises `UsageError` for a file that is no template."""
    for name, path in _paths(own).items():
        yield _read(name, path, own)


def _paths(own: Path) -> dict[str, Path]:
    """Each name with its file; the user's comes first."""
    found = {path.stem: path for folder in (SHIPPED, own) for path in folder.glob("*.md") if NAME.fullmatch(path.stem)}
    return dict(sorted(found.items()))


def _read(name: str, path: Path, own: Path) -> Found:
    try:
        content = read_bounded(path.resolve(), MOST_BYTES).decode()  # dotfiles are often links
    except (StoreError, UnicodeDecodeError) as error:
        reason = error.message if isinstance(error, StoreError) else f"{escape_text(str(path))} is not UTF-8 text"
        raise UsageError(f"Template {name}: {reason}.") from error
    return Found(template=parse_template(name, content, place=str(path)), path=path, own=path.parent == own)
