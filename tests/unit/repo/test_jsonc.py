"""JSON with comments: whatever is valid keeps its value, and whatever is not ends in one kind of error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.repo.jsonc import MOST_BYTES, JsoncError, parse_jsonc

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
GAPS = st.sampled_from(["", " ", "\n", "\t", "// a, ] comment\n", '/* "a" , } */', "/**/", "/* * / // */", "//\r"])


@given(VALUES)
def test_what_is_json_keeps_its_value(value: Any) -> None:
    assert parse_jsonc(json.dumps(value).encode()) == value
    assert parse_jsonc(json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace")) is not NotImplemented


@given(VALUES, st.data())
def test_comments_and_trailing_commas_between_tokens_change_nothing(value: Any, data: st.DataObject) -> None:
    assert parse_jsonc(written(value, lambda: data.draw(GAPS), lambda: data.draw(st.booleans())).encode()) == value


def written(value: Any, gap: Any, comma: Any) -> str:
    """`value` with a gap between any two tokens, and perhaps a comma before each closing bracket."""
    if isinstance(value, list):
        return brackets("[]", [written(each, gap, comma) for each in value], gap, comma)
    if isinstance(value, dict):
        pairs = [f"{json.dumps(key)}{gap()}:{written(each, gap, comma)}" for key, each in value.items()]
        return brackets("{}", pairs, gap, comma)
    return f"{gap()}{json.dumps(value)}{gap()}"


def brackets(pair: str, inside: list[str], gap: Any, comma: Any) -> str:
    last = f"{gap()},{gap()}" if inside and comma() else gap()
    return f"{gap()}{pair[0]}{f'{gap()},{gap()}'.join(inside)}{last}{pair[1]}{gap()}"


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_value_or_in_one_kind_of_error(data: bytes) -> None:
    parsed_or_refused(data)


@given(st.text(alphabet='{}[],:"/*\\\n\r au01e-.', max_size=60))
def test_any_text_of_the_characters_that_count_ends_so_too(text: str) -> None:
    parsed_or_refused(text.encode())


def parsed_or_refused(data: bytes) -> None:
    said = "a value"
    try:
        parse_jsonc(data)
    except JsoncError as error:
        said = str(error)
    assert said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[,]",
        "{,}",
        "[1,,]",
        "[1,],",
        "[1 /* ",
        "/ 1",
        "[1 / 2]",
        '{"a": 1, "a": 2}',
        '{"a":,}',
        "NaN",
        "[-Infinity]",
        '"a\nb"',
        "\\u007b}",
        "# 1",
        "'a'",
    ],
)
def test_what_only_some_programs_understand_is_refused(text: str) -> None:
    with pytest.raises(JsoncError):
        parse_jsonc(text.encode())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{\n // note\n "a": oops\n}', "line 3"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "too deeply"),
        (b"1" * 10_000, "too long"),
        (b" " * (MOST_BYTES + 1), "longer than"),
        (b'{"a": {"b": 1, "b": 1}}', "twice"),
    ],
)
def test_the_reason_is_told(data: bytes, says: str) -> None:
    with pytest.raises(JsoncError, match=says):
        parse_jsonc(data)


def test_what_stands_in_a_string_is_no_comment_and_no_comma() -> None:
    value = {"url": "https://x.test/*a*/", "odd": 'quote \\" // ,]', "last": ["//", ",]"]}
    assert parse_jsonc(json.dumps(value).encode()) == value


def test_a_long_hostile_text_is_read_in_a_moment() -> None:
    for piece in ("/*", "//", '"', "\\", ",", ", ", "[", '"\\', "/* *"):
        parsed_or_refused((piece * MOST_BYTES).encode()[:MOST_BYTES])
