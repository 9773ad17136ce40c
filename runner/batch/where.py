"""`--where`: an expression that chooses among the tasks of a batch, as in `outcome=completed and not tag=risky`. Pure.

    either     = both { "or" both }
    both       = single { "and" single }
    single     = "not" single | "(" either ")" | comparison
    comparison = FIELD ( "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" ) VALUE

A value is a word, or anything in quotation marks; `~` compares with a glob.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple

from runner.errors import UsageError
from runner.escape import escape_text
from runner.model.result import Outcome, Verdict
from runner.model.wording import quoted

LONGEST = 4000
"""Characters of an expression."""
DEEPEST = 50

Value = str | float | bool | tuple[str, ...]
Facts = Mapping[str, Value]
"""What is known of one attempt at a task, by field; of `words` any may be meant."""


class Field(NamedTuple):
    """What can be asked for."""

    kind: Literal["text", "words", "number", "yes-no"]
    meaning: str
    known: tuple[str, ...] = ()
    """The only values that there are; empty: any."""


FIELDS: dict[str, Field] = {
    "name": Field("text", "The task."),
    "repo": Field("words", "Its repository: as `paddock batch status` shows it, or the last part of that."),
    "agent": Field("text", "Who worked."),
    "model": Field("text", "The model that was asked for."),
    "tag": Field("words", "One of its tags."),
    "outcome": Field("text", "How the run ended.", tuple(Outcome)),
    "check": Field("text", "`passed`, `failed`, or `none` without one.", ("passed", "failed", "none")),
    "state": Field("text", "`succeeded` or `failed`.", ("succeeded", "failed")),
    "gates": Field("text", "The strictest word of the gates.", (*Verdict, "none")),
    "gate": Field("words", "A gate that found something."),
    "attempt": Field("number", "Which attempt, from 1. Whoever asks for it is shown all attempts."),
    "chosen": Field("yes-no", "Whether it stands for its task. The same.", ("yes", "no")),
    "tries": Field("number", "How many runs it took."),
    "commits": Field("number", "Commits."),
    "lines": Field("number", "Insertions and deletions."),
    "cost": Field("number", "US dollars."),
}

_COMPARES: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_TOKEN = re.compile(
    r"""\s*(?:(?P<sign>[()]|!=|<=|>=|[=<>~])|(?P<quoted>"[^"]*"|'[^']*')|(?P<word>[^\s()=!<>~'"]+)|(?P<end>\Z))"""
)


@dataclass(frozen=True)
class Comparison:
    """One field against one value."""

    field: str
    sign: str
    value: str

    def holds(self, facts: Facts) -> bool:
        """Whether it is so."""
        found = facts[self.field]
        if isinstance(found, bool):
            return (self.value == ("yes" if found else "no")) is (self.sign == "=")
        if isinstance(found, float | int):
            return _COMPARES[self.sign](found, float(self.value))
        words = (found,) if isinstance(found, str) else found
        if self.sign == "~":
            return any(fnmatchcase(word, self.value) for word in words)
        return (self.value in words) is (self.sign == "=")

    def fields(self) -> set[str]:
        """What has to be known."""
        return {self.field}


@dataclass(frozen=True)
class Negation:
    """Not so."""

    inner: Expression

    def holds(self, facts: Facts) -> bool:
        """Whether the inner one does not."""
        return not self.inner.holds(facts)

    def fields(self) -> set[str]:
        """Of the inner one."""
        return self.inner.fields()


@dataclass(frozen=True)
class Joined:
    """Several, all or any of which have to hold."""

    join: Literal["and", "or"]
    parts: tuple[Expression, ...]

    def holds(self, facts: Facts) -> bool:
        """Whether all, or any, hold."""
        return (all if self.join == "and" else any)(part.holds(facts) for part in self.parts)

    def fields(self) -> set[str]:
        """Of all of them."""
        return set().union(*(part.fields() for part in self.parts))


Expression = Comparison | Negation | Joined


class _Token(NamedTuple):
    kind: str
    text: str
    column: int
    """From 1."""


def parse_where(text: str) -> Expression:
    """The expression that `text` is. Raises `UsageError` with the column, and what could stand there."""
    if len(text) > LONGEST:
        raise _fault(LONGEST + 1, f"it is longer than {LONGEST} characters")
    parser = _Parser(list(_tokens(text)))
    found = parser.either(0)
    parser.expect_end()
    return found


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            place = position + len(text[position:]) - len(text[position:].lstrip())
            reason = "this quotation mark is never closed" if text[place] in "'\"" else "write != for not equal"
            raise _fault(place + 1, reason)
        kind = match.lastgroup or "end"
        yield _Token(kind, match[kind], match.start(kind) + 1)
        if kind == "end":
            return
        position = match.end()


class _Parser:
    """Goes through the words once, from left to right."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def either(self, depth: int) -> Expression:
        """Several with `or` between them."""
        if depth > DEEPEST:
            raise _fault(self._here.column, f"it is nested more than {DEEPEST} deep")
        parts = [self._both(depth)]
        while self._takes("word", "or"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else Joined("or", tuple(parts))

    def expect_end(self) -> None:
        """Nothing may follow."""
        if self._here.kind != "end":
            raise _fault(self._here.column, f"{quoted(self._here.text)} follows; join with `and` or `or`")

    @property
    def _here(self) -> _Token:
        return self._tokens[self._at]

    def _both(self, depth: int) -> Expression:
        parts = [self._single(depth)]
        while self._takes("word", "and"):
            parts.append(self._single(depth))
        return parts[0] if len(parts) == 1 else Joined("and", tuple(parts))

    def _single(self, depth: int) -> Expression:
        negated = 0
        while self._takes("word", "not"):
            negated += 1
        found = self._group(depth) if self._takes("sign", "(") else self._comparison()
        return Negation(found) if negated % 2 else found

    def _group(self, depth: int) -> Expression:
        found = self.either(depth + 1)
        if not self._takes("sign", ")"):
            raise _fault(self._here.column, "a parenthesis is not closed here")
        return found

    def _comparison(self) -> Comparison:
        name = self._next("word", "a field belongs here, as in outcome=completed")
        if name.text not in FIELDS:
            raise _fault(name.column, f"there is no field {quoted(name.text)}; {_near(name.text, tuple(FIELDS))}")
        field = FIELDS[name.text]
        signs = {"number": tuple(_COMPARES), "yes-no": ("=", "!=")}.get(field.kind, ("=", "!=", "~"))
        sign = self._next("sign", f"after {name.text} belongs one of {' '.join(signs)}")
        if sign.text not in signs:
            raise _fault(sign.column, f"{name.text} is compared with one of {' '.join(signs)}")
        value = self._here
        if value.kind not in {"word", "quoted"}:
            raise _fault(value.column, f"a value belongs here; {_near('', field.known)}".removesuffix("; "))
        self._at += 1
        text = value.text[1:-1] if value.kind == "quoted" else value.text
        _check_value(name.text, field, sign.text, text, value.column)
        return Comparison(name.text, sign.text, text)

    def _takes(self, kind: str, text: str) -> bool:
        if (self._here.kind, self._here.text) != (kind, text):
            return False
        self._at += 1
        return True

    def _next(self, kind: str, wanted: str) -> _Token:
        if self._here.kind != kind:
            raise _fault(self._here.column, wanted)
        self._at += 1
        return self._tokens[self._at - 1]


def _check_value(name: str, field: Field, sign: str, text: str, column: int) -> None:
    if field.kind == "number" and not re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", text, re.ASCII):
        raise _fault(column, f"{name} is a number, and {quoted(text)} is none")
    if field.known and sign != "~" and text not in field.known:
        raise _fault(column, f"{quoted(text)} is no value of {name}; {_near(text, field.known)}")


def _near(word: str, known: tuple[str, ...]) -> str:
    import difflib  # for a mistake alone

    close = difflib.get_close_matches(word[:64], known, n=1, cutoff=0.6)
    return f"did you mean {quoted(close[0])}?" if close else f"there is {', '.join(known)}" if known else ""


def _fault(column: int, sentence: str) -> UsageError:
    return UsageError(
        f"--where, column {column}: {escape_text(sentence)}" + ("" if sentence.endswith("?") else "."),
        hint="As in: --where 'outcome=completed and check=passed and not tag=risky'",
    )
