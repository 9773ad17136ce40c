"""`--where` means what it says, and whatever is no expression is told with its column."""

from __future__ import annotations

import operator
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.batch.where import FIELDS, Comparison, Expression, Facts, Joined, Negation, parse_where
from runner.errors import UsageError

FACTS: Facts = {
    "name": "fix.api",
    "repo": ("/src/api", "api"),
    "agent": "claude",
    "model": "",
    "tag": ("easy", "web team"),
    "outcome": "completed",
    "check": "passed",
    "state": "succeeded",
    "gates": "flagged",
    "gate": ("runs-later",),
    "attempt": 2.0,
    "chosen": True,
    "tries": 1.0,
    "commits": 3.0,
    "lines": 120.0,
    "cost": 0.5,
}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("outcome=completed and check=passed", True),
        ("outcome = completed and not check = passed", False),
        ("check=failed or check=none or name~'fix.*'", True),
        ("check=failed or name~fix.* and cost<0.5", False),
        ("(check=failed or name~fix.*) and cost<=0.5", True),
        ("not (check=failed or cost>1)", True),
        ("not not commits>=3", True),
        ('tag="web team" and tag!=hard', True),
        ("tag!=easy", False),
        ("tag~w*", True),
        ("repo=api and repo=/src/api and repo~'*/api'", True),
        ("gates=flagged and gate=runs-later", True),
        ("chosen=yes and attempt=2", True),
        ("chosen!=yes", False),
        ("chosen=no", False),
        ("name='and'", False),
        ("model=''", True),
    ],
)
def test_an_expression_means_what_it_says(text: str, holds: bool) -> None:
    assert set(FACTS) == set(FIELDS)
    assert parse_where(text).holds(FACTS) is holds


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("", 1, "a field belongs here"),
        ("outcom=completed", 1, 'did you mean "outcome"?'),
        ("outcome=complete", 9, 'did you mean "completed"?'),
        ("name=a tag=b", 8, "join with `and` or `or`"),
        ("cost~1", 5, "cost is compared with one of = != < <= > >="),
        ("tag<a", 4, "tag is compared with one of = != ~"),
        ("cost=much", 6, '"much" is none'),
        ("name='a", 6, "never closed"),
        ("name!a", 5, "write != for not equal"),
        ("(name=a", 8, "not closed"),
        ("name=a)", 7, "follows"),
        ("name=", 6, "a value belongs here"),
        ("not", 4, "a field belongs here"),
        ("(" * 60, 52, "nested more than 50 deep"),
        ("name=a or " * 500, 4001, "longer than 4000"),
        ("na\x1bme=a", 1, r"na\u001bme"),
    ],
)
def test_what_is_none_is_told_with_its_column_and_what_could_stand_there(text: str, column: int, said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as raised:
        parse_where(text)
    assert raised.value.message.startswith(f"--where, column {column}: ")
    assert raised.value.message.isprintable()


@given(
    st.text(max_size=200) | st.lists(st.sampled_from([*FIELDS, *"()=<>~'", "and", "or", "not", " ", "1"])).map("".join)
)
def test_any_text_is_an_expression_or_is_refused(text: str) -> None:
    try:
        found = parse_where(text)
    except UsageError as error:
        column = re.match(r"--where, column (\d+): ", error.message)
        assert column is not None
        assert 1 <= int(column[1]) <= len(text) + 1
    else:
        assert isinstance(found.holds(FACTS), bool)
        assert found.fields() <= set(FIELDS)


NUMBERS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
LEAVES = st.one_of(
    st.builds(
        Comparison, st.sampled_from(["cost", "lines"]), st.sampled_from([*NUMBERS]), st.sampled_from(["0.5", "9"])
    ),
    st.builds(Comparison, st.sampled_from(["name", "tag"]), st.sampled_from(["=", "!="]), st.text("ab '", max_size=3)),
).filter(lambda leaf: "'" not in leaf.value or '"' not in leaf.value)


def joined(parts: Any) -> Any:
    return st.builds(Joined, st.sampled_from(["and", "or"]), st.lists(parts, min_size=2, max_size=3).map(tuple))


@given(st.recursive(LEAVES, lambda inner: st.builds(Negation, inner) | joined(inner), max_leaves=12))
def test_an_expression_that_is_written_down_is_read_as_the_same(expression: Expression) -> None:
    read = parse_where(written(expression))
    assert read.fields() == expression.fields()
    for cost in (0.0, 0.5, 9.0):
        for name in ("", "a", "b'"):
            facts = {**FACTS, "cost": cost, "lines": 9.0 - cost, "name": name, "tag": (name, "a")}
            assert read.holds(facts) is expression.holds(facts) is meant(expression, facts)


def written(expression: Expression) -> str:
    match expression:
        case Comparison(field, sign, value):
            mark = '"' if "'" in value else "'"
            return f"{field}{sign}{mark}{value}{mark}"
        case Negation(inner):
            return f"not ({written(inner)})"
        case Joined(join, parts):
            return f" {join} ".join(f"({written(part)})" for part in parts)


def meant(expression: Expression, facts: Facts) -> bool:
    match expression:
        case Comparison("cost" | "lines" as field, sign, value):
            return bool(NUMBERS[sign](facts[field], float(value)))
        case Comparison("tag", sign, value):
            return (value in facts["tag"]) is (sign == "=")  # type: ignore[operator]
        case Comparison(field, sign, value):
            return (facts[field] == value) is (sign == "=")
        case Negation(inner):
            return not meant(inner, facts)
        case Joined("and", parts):
            return all(meant(part, facts) for part in parts)
        case Joined(_, parts):
            return any(meant(part, facts) for part in parts)
