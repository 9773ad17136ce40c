"""Turns what pydantic says about a policy into a path and a plain sentence for each thing that is wrong."""

from __future__ import annotations

import datetime
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from runner.model.base import Record
from runner.model.faults import FAULTS
from runner.model.policy import Policy
from runner.model.wording import dotted, quoted

Path = tuple[str | int, ...]

LONGEST_SENTENCE = 400
MOST_FAULTS = 50
"""Nobody reads more, and a hostile file could have tens of thousands."""

_DUE = {
    "string_type": "must be a text in quotes",
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "tuple_type": "must be a list, in square brackets",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
}
_BOUNDS = {
    "greater_than": ("must be more than", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be less than", "lt"),
    "less_than_equal": ("must be at most", "le"),
}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and where: a path as in the parsed document."""

    path: Path
    sentence: str


def faults_of(error: ValidationError, root: type[Record] = Policy) -> list[Fault]:
    """The faults of a file that `root` describes, in the order in which it found them, at most `MOST_FAULTS`."""
    return list(islice((fault for details in error.errors() for fault in _faults(details, root)), MOST_FAULTS))


def _faults(details: ErrorDetails, root: type[Record]) -> Iterator[Fault]:
    path = details["loc"]
    context = details.get("ctx", {})
    if details["type"] == FAULTS:
        for inner, sentence in context["faults"]:
            yield Fault((*path, *inner), _shortened(sentence))
        return
    yield Fault(path, _shortened(_sentence(details, path, root)))


def _sentence(details: ErrorDetails, path: Path, root: type[Record]) -> str:  # noqa: PLR0911 - one line for each kind of error
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    if kind == "extra_forbidden":
        return _unknown_key(path, root)
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return _in_toml_words(str(context["error"]), value)
    if kind == "literal_error":
        return _not_a_choice(path, value, root)
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"{words} {context[key]}, not {described(value)}"
    if kind in ("too_long", "string_too_long"):
        return f"is too long; at most {context['max_length']} are allowed"
    if kind in _DUE:
        return f"{_DUE[kind]}, not {described(value)}" + _example(kind, path, value)
    return details["msg"]


def described(value: object) -> str:  # noqa: PLR0911 - one line for each type of TOML
    """What stands in the file, in the words of somebody who writes TOML."""
    match value:
        case bool():
            return f"the yes-or-no value {str(value).lower()}"
        case int() | float():
            return f"the number {value!r}" if isinstance(value, float) or abs(value) < 10**30 else "so large a number"
        case str():
            return f"the text {quoted(value)}"
        case list() | tuple():
            return "a list"
        case dict():
            return "a table"
        case datetime.date() | datetime.time():
            return "a date or time"
        case _:
            return "nothing"


def _in_toml_words(sentence: str, value: object) -> str:
    """Validators show the input as Python writes it; a file says `true`, and has no `datetime.date(...)`."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return sentence
    words = str(value).lower() if isinstance(value, bool) else described(value)
    return sentence.replace(repr(value), words, 1)


def _example(kind: str, path: Path, value: object) -> str:
    if kind == "string_type" and isinstance(value, bool | int | float):
        text = str(value).lower() if isinstance(value, bool) else repr(value)
        return f"; write {dotted(path[-1:]) or 'it'} = {quoted(text)}" if isinstance(path[-1], str) else ""
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"; write [{dotted(path)}] on a line of its own and the keys below it" if _all_names(path) else ""
    if kind == "tuple_type" and isinstance(value, dict):
        return f"; write [[{dotted(path)}]] with two brackets"
    return f"; write [{quoted(value)}]" if kind == "tuple_type" and isinstance(value, str) else ""


def _all_names(path: Path) -> bool:
    return all(isinstance(part, str) for part in path)


def _not_a_choice(path: Path, value: object, root: type[Record]) -> str:
    table = _table_at(path[:-1], root)
    field = table.model_fields.get(str(path[-1])) if table else None
    choices = [str(choice) for choice in typing.get_args(field.annotation)] if field else []
    listed = ", ".join(quoted(choice) for choice in choices)
    return f"must be one of {listed}, not {described(value)}" + _nearest(value, choices)


def _nearest(value: object, choices: list[str]) -> str:
    import difflib  # for a mistake alone

    close = difflib.get_close_matches(value.lower()[:64], choices, n=1, cutoff=0.6) if isinstance(value, str) else []
    return f"; did you mean {quoted(close[0])}?" if close else ""


def _unknown_key(path: Path, root: type[Record]) -> str:
    table, key = _table_at(path[:-1], root), str(path[-1])
    known = [*(table.model_fields if table else ()), *(["extends"] if len(path) == 1 and root is Policy else [])]
    if guess := _nearest(key, known):
        return "there is no such key here" + guess
    homes = sorted({dotted((*home, key)) for home, model in _tables(root, ()) if key in model.model_fields})
    if homes:
        return f"there is no such key here; it is written as {' or '.join(homes)}"
    return f"there is no such key here; there are {', '.join(sorted(known))}"


def _table_at(path: Path, root: type[Record]) -> type[Record] | None:
    """The model of the table at `path`."""
    table: type[Record] | None = root
    for part in path:
        if isinstance(part, str):
            field = table.model_fields.get(part) if table else None
            table = _record_in(field.annotation) if field else None
    return table


def _tables(model: type[Record], path: Path) -> Iterator[tuple[Path, type[Record]]]:
    yield path, model
    for name, field in model.model_fields.items():
        if inner := _record_in(field.annotation):
            yield from _tables(inner, (*path, name))


def _record_in(annotation: object) -> type[Record] | None:
    if isinstance(annotation, type) and issubclass(annotation, Record):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _record_in(part))), None)


def _shortened(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST_SENTENCE else sentence[:LONGEST_SENTENCE] + "..."
