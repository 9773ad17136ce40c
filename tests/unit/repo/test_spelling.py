"""Which names are one where capitals and accents do not count; each group is told once, by its topmost folder."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from runner.repo.spelling import fold, leaves, spellings

NAMES = st.binary(min_size=1, max_size=6).map(lambda name: name.replace(b"\0", b"_").replace(b"/", b"_"))


def listing(*paths: str) -> bytes:
    """What `git ls-tree -r -t -z --name-only` says."""
    folders = {path.rpartition("/")[0] for path in paths} - {""}
    return b"".join(path.encode() + b"\0" for path in sorted({*paths, *folders}))


def groups(added: str, *paths: str) -> list[tuple[str, ...]]:
    found = spellings([added.encode()], listing(added, *paths))
    return [tuple(path.decode() for path in group) for group in found]


def test_an_added_name_meets_one_that_nobody_changed() -> None:
    assert groups("readme", "README", "Makefile") == [("README", "readme")]


def test_an_accent_in_one_or_two_characters_and_what_is_ignored_make_no_difference() -> None:
    composed, taken_apart = unicodedata.normalize("NFC", "größe"), unicodedata.normalize("NFD", "GRÖSSE")
    assert groups(composed, taken_apart) == [(taken_apart, composed)]
    assert groups("a\u200cb", "ab") == [("ab", "a\u200cb")]


def test_folders_that_are_one_are_told_once_and_not_with_all_that_is_in_them() -> None:
    assert groups("SRC/main.py", "src/main.py", "src/other.py") == [("SRC", "src")]
    assert groups("src/A", "src/a") == [("src/A", "src/a")]


def test_what_was_there_in_two_spellings_before_is_not_the_agents() -> None:
    assert groups("new", "README", "readme") == []


@given(st.lists(NAMES, min_size=1, max_size=6), st.binary(max_size=40))
def test_any_names_are_compared(names: list[bytes], rest: bytes) -> None:
    for group in spellings(names, b"\0".join([*names, rest, b""])):
        assert len({fold(path) for path in group}) == 1
        assert len(group) > 1


@given(st.binary(max_size=30), st.binary(max_size=60))
def test_any_target_leads_somewhere(path: bytes, target: bytes) -> None:
    assert leaves(path, target) in ("", "absolute", "leaves the work tree", "leads into .git")
