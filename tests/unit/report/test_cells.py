"""Hostile text in the cells of a terminal: nothing is wider than it may be, and nothing steers."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.escape import is_plain
from runner.report.cells import CUT, LEAST_WIDTH, MOST_CHARACTERS, cells, cut, laid_out, readable, wrapped


def width_of(line: str) -> int:
    return sum(map(cells, line))


WORDS = st.text(st.characters(exclude_categories=["Cs"])) | st.text("a \n\t日界x́🙂", max_size=300)


@given(WORDS, st.integers(0, 120), st.integers(1, 10))
def test_no_line_is_wider_than_it_may_be_and_none_can_steer_a_terminal(text: str, width: int, most: int) -> None:
    lines = list(laid_out(text, width=width, most=most))
    assert len(lines) <= most + 1
    for line in lines:
        assert is_plain(line)
        assert line == CUT or width_of(line) <= max(width, LEAST_WIDTH)


@given(WORDS, st.integers(20, 60))
def test_wrapping_loses_nothing_but_spaces(text: str, width: int) -> None:
    for line in readable(text).split("\n"):
        assert "".join(wrapped(line, width)).replace(" ", "") == line.replace(" ", "")


def test_a_line_is_broken_at_a_space_and_goes_on_under_its_own_beginning() -> None:
    line = "    - one two three four five"
    assert list(wrapped(line, 20)) == ["    - one two three", "    four five"]


def test_a_word_that_is_too_long_is_broken_anywhere() -> None:
    assert list(wrapped("x" * 45, 20)) == ["x" * 20, "x" * 20, "x" * 5]


def test_wide_letters_count_twice() -> None:
    assert list(wrapped("界" * 15, 20)) == ["界" * 10, "界" * 5]
    assert list(wrapped("1. " + "界" * 12, 20)) == ["1. " + "界" * 8, "界" * 4]
    assert unicodedata.east_asian_width("界") == "W"


@pytest.mark.parametrize(("line", "shown"), [("x" * 20, "x" * 20), ("x" * 21, "x" * 17 + "..."), ("", "")])
def test_a_line_is_cut_with_a_mark(line: str, shown: str) -> None:
    assert cut(line, 20) == shown


def test_a_megabyte_becomes_a_few_lines_and_a_mark() -> None:
    assert list(laid_out("word " * 200_000, width=80, most=3)) == [("word " * 16).rstrip()] * 3 + [CUT]
    assert list(laid_out("\n" * 5 + "x\n" * 10**6, width=80, most=2)) == ["x", "x", CUT]
    assert list(laid_out("x" + " " * MOST_CHARACTERS + "y", width=80, most=5)) == ["x", CUT]


def test_as_many_lines_as_are_shown_are_no_reason_for_a_mark() -> None:
    assert list(laid_out("a\nb\n\n", width=80, most=2)) == ["a", "b"]


@pytest.mark.parametrize("text", ["", " \n\n  "])
def test_blank_text_has_no_lines(text: str) -> None:
    assert list(laid_out(text, width=80, most=5)) == []
