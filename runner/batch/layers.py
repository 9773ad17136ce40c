"""Lays the levels of a batch file over each other: defaults, repository, matrix, task. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.model.base import Record
from runner.model.batch import CommonWords
from runner.store.toml_lines import KeyPath

ADDED = frozenset({"env", "variables"})
"""Tables of which a level adds single keys."""
INSTEAD = {
    "prompt": ("prompt_file", "command"),
    "prompt_file": ("prompt", "command"),
    "template": ("command",),
    "agent": ("command",),
    "command": ("prompt", "prompt_file", "template", "agent", "model", "until", "review", "max_rounds"),
    "check": ("until",),
    "until": ("check",),
}
"""What a level that says the one takes back of the levels below."""
EXCLUDED = (("prompt", "prompt_file"), ("command", "prompt"), ("command", "prompt_file"), ("check", "until"))
"""What one level cannot say together."""


@dataclass(frozen=True)
class Level:
    """One table of the file, and where it stands."""

    words: Record
    path: KeyPath


@dataclass
class Laid:
    """What holds in the end, and where it was written."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, KeyPath] = field(default_factory=dict)
    faults: list[tuple[KeyPath, str]] = field(default_factory=list)

    def origin(self, key: str) -> KeyPath:
        """Where a key was written last; the top of the file for what was not written."""
        return self.origins.get(key, ())


def lay(levels: Sequence[Level]) -> Laid:
    """Each level over those before it."""
    laid = Laid()
    for level in levels:
        given = said(level.words)
        for one, other in EXCLUDED:
            if one in given and other in given:
                laid.faults.append(((*level.path, other), f"{one} stands beside it; leave one of them out"))
        for key in given:
            for gone in INSTEAD.get(key, ()):
                if gone not in given:
                    laid.values.pop(gone, None)
        for key, value in given.items():
            laid.values[key] = _joined(laid.values.get(key), key, value)
            laid.origins[key] = (*level.path, key)
    return laid


def said(words: Record) -> dict[str, Any]:
    """What a level says of a task."""
    known = CommonWords.model_fields
    return {key: value for key in known if (value := getattr(words, key, None)) is not None}


def _joined(before: Any, key: str, value: Any) -> Any:
    if key in ADDED and isinstance(value, Mapping):
        return {**(before or {}), **value}
    if key == "tags":
        return tuple(dict.fromkeys((*(before or ()), *value)))
    return value
