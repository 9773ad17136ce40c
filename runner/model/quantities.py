"""Sizes in bytes and durations in seconds, read from and written in human units."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

SIZE_UNITS = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
DURATION_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

MAX_SIZE = 2**60
MIN_DURATION = 0.001
MAX_DURATION = 365 * 86_400.0

_SIZE = re.compile(r"(\d{1,19}(?:\.\d{1,6})?) ?([A-Za-z]+)", re.ASCII)
_DURATION_PART = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)(d|h|ms|m|s)", re.ASCII)


def parse_size(text: Any) -> int:
    """Bytes from `"4GiB"`, `"200 MB"`; raises ValueError for anything else, zero and overflow included."""
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[2] not in SIZE_UNITS:
        raise ValueError(f'{text!r} is not a size; write a number and a unit, like "512MiB" or "4GiB"')
    value = int(float(match[1]) * SIZE_UNITS[match[2]]) if "." in match[1] else int(match[1]) * SIZE_UNITS[match[2]]
    if not 0 < value <= MAX_SIZE:
        raise ValueError(f'{text!r} is out of range; sizes go from "1B" to "1048576TiB"')
    return value


def format_size(value: int) -> str:
    """The shortest exact form: `4294967296` is `4GiB`, `1000` is `1KB`; `parse_size` reads it back."""
    exact = [unit for unit, factor in SIZE_UNITS.items() if value % factor == 0 and value >= factor]
    unit = max(exact, key=lambda name: SIZE_UNITS[name], default="B")
    return f"{value // SIZE_UNITS[unit]}{unit}"


def parse_duration(text: Any) -> float:
    """Seconds from `"1h"`, `"90s"`, `"1h30m"`, in whole milliseconds, which is what `format_duration` writes.

    Raises ValueError for anything else, less than a millisecond and overflow included.
    """
    wrong = ValueError(f'{text!r} is not a duration; write a number and a unit, like "90s", "15m" or "1h30m"')
    if not isinstance(text, str) or not text:
        raise wrong
    parts = list(_DURATION_PART.finditer(text))
    units = [DURATION_UNITS[part[2]] for part in parts]
    if "".join(part[0] for part in parts) != text or units != sorted(set(units), reverse=True):
        raise wrong
    seconds = sum(float(part[1]) * unit for part, unit in zip(parts, units, strict=True))
    if not MIN_DURATION <= seconds <= MAX_DURATION:
        raise ValueError(f'{text!r} is out of range; durations go from "1ms" to "365d"')
    return round(seconds * 1000) / 1000


def format_duration(seconds: float) -> str:
    """`5400.0` is `1h30m`; exact to the millisecond, and `parse_duration` reads it back."""
    left = round(seconds * 1000)
    out = ""
    for unit, factor in DURATION_UNITS.items():
        count, left = divmod(left, round(factor * 1000))
        out += f"{count}{unit}" if count else ""
    return out or "0s"


class Bytes(int):
    """A number of bytes that code has already decided; a bare integer in a file has no unit and is refused."""


class Seconds(float):
    """A number of seconds that code has already decided; a bare number in a file has no unit and is refused."""


Size = Annotated[
    int,
    BeforeValidator(lambda value: value if isinstance(value, Bytes) and value > 0 else Bytes(parse_size(value))),
    PlainSerializer(format_size, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)? ?(B|[KMGT]i?B)$", "examples": ["512MiB", "4GiB"]}),
]
"""Bytes: a text with a unit, or `Bytes`."""

Duration = Annotated[
    float,
    BeforeValidator(
        lambda value: value if isinstance(value, Seconds) and value > 0 else Seconds(parse_duration(value))
    ),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^(\d+(\.\d+)?(d|h|ms|m|s))+$", "examples": ["90s", "15m", "1h30m"]}),
]
"""Seconds: a text with a unit, or `Seconds`."""
