"""Loads the groups of names that policies may write as `@group`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from runner.errors import PolicyError
from runner.escape import escape_text
from runner.model.destinations import parse_destination
from runner.model.network import REGISTRY_GROUPS
from runner.model.wording import quoted

_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}", re.ASCII)


def load_groups(path: Path) -> dict[str, tuple[str, ...]]:
    """The entries of each group, in canonical form. Raises `PolicyError` that names the file, the key and the rule."""
    shown = escape_text(str(path))
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PolicyError(f"{shown}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise PolicyError(f"{shown}: is not TOML in UTF-8: {escape_text(str(error))}") from error
    groups = document.pop("groups", None)
    if document or not isinstance(groups, dict):
        extra = f", not {quoted(next(iter(document)))}" if document else ""
        raise PolicyError(f"{shown}: groups: the file has one table, [groups]{extra}")
    return {name: _entries(f"{shown}: groups.{_key(name)}", name, value) for name, value in groups.items()}


def _key(name: str) -> str:
    return name if _NAME.fullmatch(name) else quoted(name)


def _entries(place: str, name: str, value: Any) -> tuple[str, ...]:
    if not _NAME.fullmatch(name):
        raise PolicyError(f"{place}: a group's name is small letters, digits and hyphens")
    if name in REGISTRY_GROUPS:
        raise PolicyError(f"{place}: this group is found in the image's tools and cannot be written down")
    if not isinstance(value, list) or not value:
        raise PolicyError(f"{place}: a group is a list of names, and not an empty one")
    entries = []
    for index, text in enumerate(value):
        entry = _entry(f"{place}[{index}]", text)
        if entry in entries:
            raise PolicyError(f"{place}[{index}]: {entry} stands here twice")
        entries.append(entry)
    return tuple(entries)


def _entry(place: str, text: Any) -> str:
    if not isinstance(text, str):
        raise PolicyError(f"{place}: must be a name in quotes")
    try:
        destination = parse_destination(text)
    except ValueError as error:
        raise PolicyError(f"{place}: {error}") from error
    if destination.kind == "group":
        raise PolicyError(f"{place}: a group holds names, and no other group")
    return str(destination)
