"""JSON with comments and trailing commas, as devcontainer.json is written; what is told in two ways is refused."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

MOST_BYTES = 256 * 1024

# A string comes first, so that what stands in one is never taken for a comment.
_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*+(?:"|\\?\Z))|(?P<comment>//[^\n\r]*|/\*.*?(?:\*/|\Z))|(?P<blank>[ \t\r\n]+)"""
    r"""|[^"/, \t\r\n\[\]{}]+|.""",
    re.DOTALL,
)


class JsoncError(ValueError):
    """The text is no JSON with comments; the message says why."""


def parse_jsonc(data: bytes) -> Any:
    """The value in `data`, which is UTF-8. Raises `JsoncError`, also for a key that stands twice in one object.

    Two programs read such a key in two ways: what a person checks must be what is used.
    """
    if len(data) > MOST_BYTES:
        raise JsoncError(f"it is longer than {MOST_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
        return json.loads(_plain(text), object_pairs_hook=_once, parse_constant=_no_number)
    except JsoncError:
        raise
    except RecursionError:
        raise JsoncError("it is nested too deeply") from None
    except UnicodeDecodeError:
        raise JsoncError("it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise JsoncError(f"line {error.lineno}: {error.msg}") from None
    except ValueError:  # a number of thousands of digits
        raise JsoncError("it holds a number that is too long") from None


def _plain(text: str) -> str:
    """The same value without comments and without a comma that stands before a closing bracket; lines stay lines."""
    pieces: list[str] = []
    before, comma = "", None  # the last token that counts, and where the comma after it is
    for match in _TOKEN.finditer(text):
        word = match[0]
        if word.startswith("/*") and not (word.endswith("*/") and len(word) > 3):
            raise JsoncError("a comment does not end")
        if match["comment"] or match["blank"]:
            pieces.append(re.sub(r"[^\n]", " ", word))
            continue
        if word in {"]", "}"} and comma is not None:
            pieces[comma] = " "
        comma = len(pieces) if word == "," and before not in {"", "[", "{", ",", ":"} else None
        before = word
        pieces.append(word)
    return "".join(pieces)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsoncError("a key stands twice in one object")
    return found


def _no_number(text: str) -> NoReturn:
    raise JsoncError(f"{text} is not a number of JSON")
