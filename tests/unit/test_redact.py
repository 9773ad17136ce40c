"""The redactor masks every whole value, wherever the stream is cut, in constant memory."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.redact import MASK, Redactor

SECRETS = ("hunter2-hunter2", "hunter2-hunter2-longer", "abcabcabd", "zzzzzz")


def masked_in_pieces(secrets: tuple[str, ...], pieces: list[bytes]) -> bytes:
    redactor = Redactor(secrets)
    return b"".join([*map(redactor.feed, pieces), redactor.flush()])


def masked_at_once(secrets: tuple[str, ...], text: bytes) -> bytes:
    ordered = sorted((s.encode() for s in secrets), key=len, reverse=True)
    return re.sub(b"|".join(map(re.escape, ordered)), MASK, text)


noise = st.sampled_from([*SECRETS, "hunter2-", "abcabc", "zzz", "\n", " ", "é"]).map(str.encode) | st.binary(max_size=4)


@given(st.lists(noise, max_size=12).map(b"".join), st.lists(st.integers(0, 200), max_size=8))
def test_any_cut_of_a_stream_gives_what_the_whole_gives(text: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[a:b] for a, b in itertools.pairwise(edges)]
    assert masked_in_pieces(SECRETS, pieces) == masked_at_once(SECRETS, text)


letters = st.text("ab", min_size=6, max_size=14)


@given(st.lists(letters, min_size=1, max_size=3), st.lists(st.text("ab", max_size=20), max_size=10))
def test_values_that_overlap_themselves_and_each_other_are_masked_at_any_cut(values: list[str], cut: list[str]) -> None:
    secrets, pieces = tuple(values), [piece.encode() for piece in cut]
    assert masked_in_pieces(secrets, pieces) == masked_at_once(secrets, b"".join(pieces))


@pytest.mark.parametrize("size", [64, 4096, 65536])
def test_long_values_of_one_letter_take_time_that_is_linear(size: int) -> None:
    secrets = ("a" * 32_000 + "b", "a" * 31_000 + "c")
    text = b"a" * 65536
    begin = time.process_time()
    shown = masked_in_pieces(secrets, [text[start : start + size] for start in range(0, len(text), size)])
    assert shown == text
    assert time.process_time() - begin < 5


def test_a_value_that_arrives_byte_by_byte_is_masked() -> None:
    text = b"key=hunter2-hunter2;"
    assert masked_in_pieces(("hunter2-hunter2",), [bytes([b]) for b in text]) == b"key=[secret];"


def test_without_secrets_every_byte_passes_at_once() -> None:
    assert Redactor(()).feed(b"\x00\xffabc") == b"\x00\xffabc"


def test_a_short_value_is_not_masked_because_it_would_blank_out_ordinary_text() -> None:
    assert masked_in_pieces(("on",), [b"once upon"]) == b"once upon"


@pytest.mark.parametrize("value", ["a.b*c?d", "[secret-x]", "line\\nline"])
def test_values_are_taken_literally_and_not_as_patterns(value: str) -> None:
    assert masked_in_pieces((value,), [b"<" + value.encode() + b">"]) == b"<" + MASK + b">"


def test_what_is_held_back_is_shorter_than_the_longest_value() -> None:
    redactor = Redactor(SECRETS)
    for _ in range(1000):
        redactor.feed(b"hunter2-hunter" * 100)
        assert len(redactor.flush()) < max(map(len, SECRETS))


def test_a_value_may_be_masked_in_its_own_length() -> None:
    redactor = Redactor(["abcdefgh"], same_length=True)
    shown = b"".join([redactor.feed(b"x abcd"), redactor.feed(b"efgh y abc"), redactor.flush()])
    assert shown == b"x ******** y abc"
    assert not redactor.holds
