"""Ids of runs are safe wherever they are used as names."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.store.run_id import ALPHABET, MAX_SLUG, RUN_ID, new_run_id, slug_of


def test_an_id_is_the_day_the_words_and_four_random_signs() -> None:
    numbers = iter([19, 3, 15, 9])
    assert new_run_id("Fix warnings!", date(2026, 11, 20), lambda _: next(numbers)) == "2026-11-20-fix-warnings-k3f9"


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("", "run"),
        ("---", "run"),
        ("Ünïcode & co.", "unicode-co"),
        ("日本", "run"),
        ("../../etc/passwd", "etc-passwd"),
        ("x" * 100, "x" * 40),
        ("one two three four five six seven eight nine", "one-two-three-four-five-six-seven-eight"),
    ],
)
def test_a_slug_keeps_letters_and_digits_alone(text: str, slug: str) -> None:
    assert slug_of(text) == slug


@given(st.text(), st.dates(min_value=date(2000, 1, 1)))
def test_every_id_is_well_formed_and_short_enough_for_a_host_name(text: str, day: date) -> None:
    made = new_run_id(text, day, lambda count: hash(text) % count)
    assert RUN_ID.fullmatch(made)
    assert len(made) <= 63
    assert len(slug_of(text)) <= MAX_SLUG
    assert slug_of(slug_of(text)) == slug_of(text)


def test_the_alphabet_has_32_signs_and_none_that_is_mistaken_for_another() -> None:
    assert len(set(ALPHABET)) == 32
    assert not set(ALPHABET) & set("ilou")
