"""What a sandbox wrote is shown and never obeyed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.escape import HIDDEN_CATEGORIES, escape_text, is_plain


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]8;;http://evil\x07", r"\x1b]8;;http://evil\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\rb\x08c\x7f", r"a\x0db\x08c\x7f"),
        ("a\nb", r"a\x0ab"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        (".g\u200cit\ufeff", r".g\u200cit\ufeff"),
        ("a\u2028b", r"a\u2028b"),
        ("\U000e0041", r"\U000e0041"),
        (b"caf\xc3\xa9 \xff\xfe", r"café \xff\xfe"),
        ("日本語 ok", "日本語 ok"),
        ("plain ASCII \\x1b", "plain ASCII \\x1b"),
    ],
)
def test_what_could_steer_a_terminal_is_spelled_out(hostile: str | bytes, shown: str) -> None:
    assert escape_text(hostile) == shown


def test_line_feeds_stay_on_request_and_carriage_returns_never() -> None:
    assert escape_text("a\nb\r\nc\x1b", newline=True) == "a\nb\\x0d\nc\\x1b"


def test_plain_text_is_recognised() -> None:
    assert is_plain("src/main.py")
    assert is_plain("日本語".encode())
    assert not is_plain(b"\xff")
    assert not is_plain("a\u202eb")


@given(st.one_of(st.binary(), st.text(), st.text(st.characters(categories=("Cs", "Cc", "Cf")))))
def test_nothing_hidden_survives(hostile: str | bytes) -> None:
    shown = escape_text(hostile)
    assert not [c for c in shown if unicodedata.category(c) in HIDDEN_CATEGORIES]
    assert "\n" not in shown
    shown.encode("utf-8")


@given(st.one_of(st.binary(), st.text()))
def test_escaping_twice_changes_nothing_more(hostile: str | bytes) -> None:
    assert escape_text(escape_text(hostile)) == escape_text(hostile)
    assert "\r" not in escape_text(hostile, newline=True)
