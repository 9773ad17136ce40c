"""The locator of TOML keys: right lines, and never an error of its own."""

import math
import time
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.store.toml_lines import KeyPath, line_of, locate, too_deep_at

DOCUMENT = '''\
top = 1 # comment with = and [brackets]
"quoted key" = """
multi
= not.a.key = 1
[not a table]"""""
'literal' = \'\'\'two
lines\'\'\'\'\'
a.b . "c.d" = [ 1, # one
  [2,
   3], { x = 1, y.z = "}" },
]
"\\u0065sc" = ""

[table]
key = "x # \\" y"
date = 1979-05-27 07:32:00
[ table . "sub" ]
inline = { a = 1, b = { c = [ "]", '}' ] } }

[[list]]
n = 1
[list.inner]
k = 1
[[list]]
n = 2
[[list.deep]]
d = 1
[[list.deep]]
d = 2
'''

LINES: dict[KeyPath, int] = {
    ("top",): 1,
    ("quoted key",): 2,
    ("literal",): 6,
    ("a", "b", "c.d"): 8,
    ("a", "b", "c.d", 0): 8,
    ("a", "b", "c.d", 1): 9,
    ("a", "b", "c.d", 1, 1): 10,
    ("a", "b", "c.d", 2, "x"): 10,
    ("a", "b", "c.d", 2, "y", "z"): 10,
    ("esc",): 12,
    ("table",): 14,
    ("table", "key"): 15,
    ("table", "date"): 16,
    ("table", "sub"): 17,
    ("table", "sub", "inline", "b", "c", 1): 18,
    ("list",): 20,
    ("list", 0, "n"): 21,
    ("list", 0, "inner"): 22,
    ("list", 0, "inner", "k"): 23,
    ("list", 1): 24,
    ("list", 1, "n"): 25,
    ("list", 1, "deep", 0, "d"): 27,
    ("list", 1, "deep", 1): 28,
    ("list", 1, "deep", 1, "d"): 29,
}


@pytest.mark.parametrize(("path", "line"), LINES.items(), ids=repr)
def test_every_kind_of_key_has_its_line(path: KeyPath, line: int) -> None:
    assert locate(DOCUMENT)[path] == line


def test_windows_line_ends_make_the_same_lines() -> None:
    assert locate(DOCUMENT.replace("\n", "\r\n")) == locate(DOCUMENT)


def test_what_is_not_written_has_the_line_of_its_nearest_parent() -> None:
    lines = locate("[limits]\ncpus = 1\n")
    assert line_of(lines, ("limits", "memory")) == 1
    assert line_of(lines, ("limits", "cpus", "x", 3)) == 2
    assert line_of(lines, ("mounts", 0)) == 1
    assert line_of({}, ()) == 1


def test_nesting_and_dotted_keys_beyond_the_limit_are_found_in_one_pass() -> None:
    assert too_deep_at("a.b = [[1]]", 4) is None
    assert too_deep_at("x = 1\na.b = [[1]]", 3) == 2
    for hostile in (
        "\n\na = " + "[" * 200_000,
        "\n\n" + ".".join("a" * 100_000) + "=1",
        "\n\n[" + "a." * 99_999 + "a]",
    ):
        began = time.monotonic()
        assert too_deep_at(hostile, 16) == 3
        assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "text", ['a = """', "a = '''" + "'" * 2, 'a = "' + "\\" * 99_999, "a = [" * 50, "[[", "a.", '"\\q" = 1', "\0"]
)
def test_text_that_is_not_toml_ends_the_search_quietly(text: str) -> None:
    began = time.monotonic()
    assert isinstance(locate(text), dict)
    assert time.monotonic() - began < 2


@given(st.text("ab.=[]{},\"'\\#\n 1", max_size=60))
def test_whatever_the_parser_accepts_is_located(text: str) -> None:
    lines = locate(text)
    try:
        parsed = tomllib.loads(text)
    except ValueError:
        return
    assert set(paths(parsed)) <= set(lines)


# Documents written by a generator of our own: every style of key, string and table that TOML has.

keys = st.text(max_size=6).filter(lambda text: all(ord(c) < 0xD800 or ord(c) > 0xDFFF for c in text))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3))
tables = st.dictionaries(
    keys, values | st.lists(st.dictionaries(keys, values, min_size=1, max_size=3), min_size=1, max_size=3), max_size=5
)


def basic(text: str) -> str:
    escaped = "".join(c if 0x20 <= ord(c) != 0x7F and c not in '"\\' else f"\\u{ord(c):04x}" for c in text)
    return f'"{escaped}"'


def written_string(text: str) -> str:
    plain = all(c == "\n" or 0x20 <= ord(c) != 0x7F for c in text)
    if plain and "'" not in text and "\n" in text:
        return f"'''\n{text}'''"
    if plain and "\n" in text:
        return '"""\n' + text.replace("\\", "\\\\").replace('"', '\\"') + '"""'
    return f"'{text}'" if plain and "'" not in text else basic(text)


def written_key(key: str) -> str:
    return key if key and key.isascii() and key.isalnum() else basic(key)


def written(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return "inf" if value == math.inf else "-inf" if value == -math.inf else repr(value)
        case str():
            return written_string(value)
        case list():
            return "[ # ]\n" + ",\n".join(written(inner) for inner in value) + "\n]"
        case dict():
            return "{" + ", ".join(f"{written_key(key)} = {written(inner)}" for key, inner in value.items()) + "}"
        case _:
            return repr(value)


def document(table: dict[str, Any]) -> str:
    out = ""
    later = ""
    for key, value in table.items():
        if isinstance(value, list) and value and all(isinstance(inner, dict) for inner in value):
            for inner in value:
                later += f"[[ {written_key(key)} ]] # x = [\n"
                later += "".join(f"\t{written_key(name)}={written(deep)}\n" for name, deep in inner.items())
        elif isinstance(value, dict) and len(value) > 1:
            later += f"[{written_key(key)}]\n\n"
            later += "".join(f"{written_key(name)} = {written(deep)}\r\n" for name, deep in value.items())
        else:
            out += f"{written_key(key)} = {written(value)} # \"'''\n"
    return out + later


def paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    pairs: list[tuple[Any, Any]] = list(value.items()) if isinstance(value, dict) else []
    pairs = list(enumerate(value)) if isinstance(value, list) else pairs
    for key, inner in pairs:
        yield (*path, key)
        yield from paths(inner, (*path, key))


@given(tables)
def test_every_key_path_of_a_generated_document_is_found_on_a_line_that_has_it(table: dict[str, Any]) -> None:
    text = document(table)
    parsed = tomllib.loads(text)
    lines, rows = locate(text), text.split("\n")
    for path in paths(parsed):
        assert path in lines
        if isinstance(path[-1], str):
            assert written_key(path[-1]) in rows[lines[path] - 1]
