"""As much of JSON Schema as Paddock's own schemas use; a keyword that is not known here fails, it is not skipped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
FOR: dict[str, type] = {
    "properties": dict,
    "required": dict,
    "additionalProperties": dict,
    "items": list,
    "pattern": str,
}
"""Keywords that say nothing of a value of another type."""
NOTES = {"title", "description", "default", "examples", "$defs", "$schema"}


def faults(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], where: str = "$") -> Iterator[str]:
    """In what `value` differs from `schema`."""
    for keyword, wanted in schema.items():
        if keyword not in NOTES and isinstance(value, FOR.get(keyword, object)):
            yield from _CHECKS[keyword](value, wanted, schema, root, where)


def _type(value: Any, wanted: str, _s: Any, _r: Any, where: str) -> Iterator[str]:
    if not isinstance(value, TYPES[wanted]) or (isinstance(value, bool) and wanted != "boolean"):
        yield f"{where} is no {wanted}"


def _ref(value: Any, wanted: str, _s: Any, root: Mapping[str, Any], where: str) -> Iterator[str]:
    yield from faults(value, root["$defs"][wanted.rpartition("/")[2]], root, where)


def _any_of(value: Any, wanted: list[Any], _s: Any, root: Mapping[str, Any], where: str) -> Iterator[str]:
    if all(list(faults(value, one, root, where)) for one in wanted):
        yield f"{where} fits none of {len(wanted)} forms"


def _properties(value: Any, wanted: Mapping[str, Any], _s: Any, root: Mapping[str, Any], where: str) -> Iterator[str]:
    for name, schema in wanted.items():
        if name in value:
            yield from faults(value[name], schema, root, f"{where}.{name}")


def _required(value: Any, wanted: list[str], _s: Any, _r: Any, where: str) -> Iterator[str]:
    yield from (f"{where} lacks {name}" for name in wanted if name not in value)


def _additional(value: Any, wanted: Any, schema: Mapping[str, Any], root: Any, where: str) -> Iterator[str]:
    for name in value.keys() - schema.get("properties", {}).keys():
        if wanted is False:
            yield f"{where} has an unknown key {name}"
        elif isinstance(wanted, dict):
            yield from faults(value[name], wanted, root, f"{where}.{name}")


def _items(value: Any, wanted: Mapping[str, Any], _s: Any, root: Mapping[str, Any], where: str) -> Iterator[str]:
    for index, entry in enumerate(value):
        yield from faults(entry, wanted, root, f"{where}[{index}]")


def _enum(value: Any, wanted: list[Any], _s: Any, _r: Any, where: str) -> Iterator[str]:
    if value not in wanted:
        yield f"{where} is none of {wanted}"


def _pattern(value: str, wanted: str, _s: Any, _r: Any, where: str) -> Iterator[str]:
    if not re.search(wanted, value):
        yield f"{where} does not match {wanted}"


def _const(value: Any, wanted: Any, _s: Any, _r: Any, where: str) -> Iterator[str]:
    if value != wanted:
        yield f"{where} is not {wanted}"


_CHECKS: dict[str, Any] = {
    "type": _type,
    "$ref": _ref,
    "anyOf": _any_of,
    "properties": _properties,
    "required": _required,
    "additionalProperties": _additional,
    "items": _items,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
}
