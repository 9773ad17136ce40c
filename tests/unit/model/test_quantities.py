"""Sizes and durations: human units, exact, and nothing that is no quantity."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.model.quantities import (
    MAX_DURATION,
    MAX_SIZE,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1B", 1), ("4GiB", 4 * 2**30), ("200 MB", 200 * 10**6), ("1.5KiB", 1536), ("1TiB", 2**40),
        ("007MiB", 7 * 2**20),        ("1048576TiB", MAX_SIZE),
    ],
)  # fmt: skip
def test_sizes_are_read_in_their_units(text: str, value: int) -> None:
    assert parse_size(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        ("1d", 86_400),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("365d", MAX_DURATION),
        ("1ms", 0.001),
        ("1.0004s", 1),
    ],
)
def test_durations_are_read_in_their_units(text: str, value: float) -> None:
    assert parse_duration(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "", "0", "0B", "0GiB", "0.0GiB", "-1GiB", "+1GiB", "4", "4G", "4gib", "4GIB", "4 GiB ", " 4GiB", "4GiB\n",
        "4  GiB",
        "1e3MiB", "infGiB", "NaNGiB", "nan", "0x4GiB", "4,5GiB", "1_000MiB", "\u0664GiB", "4GiB4GiB", "4h", "GiB",
        ".5GiB", "1048577TiB", "9" * 30 + "B", "0.1B", 4, 4.0, True, False, None, [], {}, b"4GiB",
    ],
)  # fmt: skip
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"is not a size|is out of range"):
        parse_size(text)


@pytest.mark.parametrize(
    "text",
    [
        "", "0", "0s", "0h0m", "-1s", "+1s", "4", "4 s", " 4s", "4s\n", "4S", "4min", "30m1h", "1h1h", "1h30", "1e3s",
        "0.0001ms", "0.0009s", "0.999ms", "infs", "nan", "\u0664s", "4GiB", "h", ".5h", "366d", "1:30", "9" * 30 + "s",
        4, 4.0, True, None, [], {},
    ],
)  # fmt: skip
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|is out of range"):
        parse_duration(text)


@given(st.integers(1, MAX_SIZE))
@example(1000)
@example(1024)
@example(MAX_SIZE)
def test_every_size_is_written_so_that_it_reads_back_exactly(value: int) -> None:
    assert parse_size(format_size(value)) == value


@given(st.integers(1, int(MAX_DURATION * 1000)))
def test_every_whole_millisecond_is_written_so_that_it_reads_back(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


@given(st.text(max_size=40) | st.text("0123456789.dhmsBKMGTi ", max_size=25))
@example("1.0004s")
@example("364d23h59m59.9999s")
def test_any_text_is_a_quantity_in_range_or_a_value_error(text: str) -> None:
    kinds: tuple[tuple[Any, Any, float], ...] = (
        (parse_size, format_size, MAX_SIZE),
        (parse_duration, format_duration, MAX_DURATION),
    )
    for parse, write, most in kinds:
        try:
            value = parse(text)
        except ValueError:
            continue
        assert 0 < value <= most
        assert parse(write(value)) == value
