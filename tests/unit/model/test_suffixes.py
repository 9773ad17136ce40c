"""The search in the list's text agrees with the library that parses it."""

import subprocess
import sys
from pathlib import Path

import pytest
from publicsuffixlist import PSLFILE, PublicSuffixList

from runner.model.suffixes import SEARCHES, is_shared

RULES = [
    line.removeprefix("!").replace("*", "any").encode("idna").decode()
    for line in Path(PSLFILE).read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("//") and "." in line
]


def test_whatever_the_parsed_list_calls_public_is_shared() -> None:
    parsed = PublicSuffixList()
    assert len(RULES) > 5000
    assert [name for name in RULES if parsed.is_public(name) and not is_shared(name)] == []
    below = [f"one-owner.{name}" for name in RULES[::50]]
    assert [name for name in below if is_shared(name) and not parsed.is_public(name) and f".{name}" not in RULES] == []


@pytest.mark.parametrize("name", ["example.com", "city.kawasaki.jp", "github.com", "x.co.uk", "a.github.io", "db.lan"])
def test_one_owners_name_is_not_shared(name: str) -> None:
    assert not is_shared(name)


@pytest.mark.parametrize("name", ["co.uk", "x.kawasaki.jp", "kawasaki.jp", "amazonaws.com", "github.io", "windows.net"])
def test_a_public_suffix_and_what_stands_above_one_is_shared(name: str) -> None:
    assert is_shared(name)


def test_the_list_is_not_loaded_for_exact_names() -> None:
    program = (
        "import sys; from runner.model.destinations import parse_destination as p; p('github.com:443'); "
        "assert 'publicsuffixlist' not in sys.modules; p('*.github.com'); assert 'publicsuffixlist' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_index_for_many_names_says_what_the_search_for_few_says() -> None:
    names = [*RULES[::100], *(f"x.{name}" for name in RULES[::100]), "example.com", "r2.cloudflarestorage.com"]
    searched = []
    for name in names:
        is_shared.cache_clear()
        searched.append(is_shared(name))
    is_shared.cache_clear()
    for number in range(SEARCHES):
        is_shared(f"n{number}.example")
    assert [is_shared(name) for name in names] == searched
    assert {True, False} == set(searched)
