"""Puts variables into prompts: `{name}` is what a variable stands for, `{{name}}` the braces themselves. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_PLACE = re.compile(r"\{\{([a-z][a-z0-9_]*)\}\}|\{([a-z][a-z0-9_]*)\}")


class Unknown(NamedTuple):
    """A variable that nobody defined, and the line of the text that it stands on, from 1."""

    name: str
    line: int


def filled(text: str, variables: Mapping[str, str]) -> str:
    """The text with every variable that is known put in; what is put in is not looked at again."""

    def replaced(found: re.Match[str]) -> str:
        literal, name = found.groups()
        return f"{{{literal}}}" if literal else variables.get(name, found[0])

    return _PLACE.sub(replaced, text)


def unknown_in(text: str, variables: Mapping[str, str]) -> Iterator[Unknown]:
    """Every variable of the text that is not known, at its first place."""
    seen = set()
    for found in _PLACE.finditer(text):
        name = found[2]
        if name and name not in variables and name not in seen:
            seen.add(name)
            yield Unknown(name, text.count("\n", 0, found.start()) + 1)
