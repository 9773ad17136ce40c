"""An effective policy as the file that would say the same: what `paddock policy show` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from runner.model.policy import Policy

Table = dict[str, Any]


def policy_toml(policy: Policy) -> str:
    """TOML that loads to an equal policy. Unset values and empty lists are left out: they are the defaults."""
    return "\n".join(_lines(policy.model_dump(mode="json"), ())) + "\n"


def _lines(table: Table, path: tuple[str, ...]) -> Iterator[str]:
    plain = {key: value for key, value in table.items() if value not in (None, [], {}) and not _is_table(value)}
    if path and plain:
        yield f"\n[{'.'.join(path)}]"
    for key, value in plain.items():
        yield f"{key} = {_value(value)}"
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _lines(value, (*path, key))
        elif _is_table(value):
            for row in value:
                yield f"\n[[{'.'.join((*path, key))}]]"
                yield from (f"{name} = {_value(inner)}" for name, inner in row.items())


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _value(value: Any) -> str:
    """Strings, numbers, booleans and lists of them are written in TOML as in JSON, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
