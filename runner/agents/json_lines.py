"""Reading JSON that a sandbox printed: whatever it is, the answer is a value of the type that was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

MOST_TEXT = 64 * 1024
"""Characters that are kept of one text."""
MOST_DETAIL = 300
MOST_TOKENS = 10**12


def document(line: bytes) -> dict[str, Any] | None:
    """The JSON object that a line is; `None` for anything else."""
    if not line.lstrip().startswith(b"{"):
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def at(value: Any, *keys: str) -> Any:
    """What is in nested objects under `keys`; `None` where there is nothing."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text_at(value: Any, *keys: str) -> str:
    """A text, cut at `MOST_TEXT`; empty for anything else."""
    found = at(value, *keys)
    return sound(found[:MOST_TEXT]) if isinstance(found, str) else ""


def sound(text: str) -> str:
    """Text that can be written as UTF-8: JSON may hold halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode()


def count_at(value: Any, *keys: str) -> int:
    """A count; 0 for anything else."""
    found = at(value, *keys)
    return found if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < MOST_TOKENS else 0


def dollars_at(value: Any, *keys: str) -> float | None:
    """An amount of money; `None` for anything else."""
    found = at(value, *keys)
    numeric = isinstance(found, (int, float)) and not isinstance(found, bool)
    return float(found) if numeric and 0 <= found < MOST_TOKENS else None


def items_at(value: Any, *keys: str) -> Iterator[dict[str, Any]]:
    """The objects in a list."""
    found = at(value, *keys)
    yield from (each for each in found if isinstance(each, dict)) if isinstance(found, list) else ()


def one_line(text: str) -> str:
    """The beginning of a text, as one line."""
    line = " ".join(sound(text[: 4 * MOST_DETAIL]).split())
    return line if len(line) <= MOST_DETAIL else line[: MOST_DETAIL - 1] + "…"


def detail_of(arguments: Any) -> str:
    """What a tool is used on, in one line: the argument that says most, whichever agent it is."""
    for key in ("command", "cmd", "file_path", "filePath", "path", "pattern", "query", "url", "description", "prompt"):
        found = at(arguments, key)
        if isinstance(found, list):
            found = " ".join(map(str, found[:50]))
        if isinstance(found, str) and found.strip():
            return one_line(found)
    return ""
