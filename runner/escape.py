"""Hostile text made visible: what a sandbox wrote can be shown, but can no longer steer whatever shows it."""

from __future__ import annotations

import re
import unicodedata

# Cc: C0, DEL and C1. Cf: bidi marks, zero width, tags. Cs: bytes that were no UTF-8. Co and Cn: what no font of ours
# draws. Zl, Zp: line breaks that are no newline.
HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_SUSPECT = re.compile(r"[^ -~]")
_SUSPECT_BUT_NEWLINE = re.compile(r"[^ -~\n]")


def escape_text(text: str | bytes, *, newline: bool = False) -> str:
    r"""`text` with every control, format and undecodable character spelled out, like `\x1b`, `\u202e`, `\xff`.

    Letters of all scripts stay as they are. With `newline`, line feeds stay too (a carriage return never does).
    A backslash stays single, so the result is for reading and is not to be decoded again.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if text.isascii() and text.isprintable():
        return text
    return (_SUSPECT_BUT_NEWLINE if newline else _SUSPECT).sub(_spell, text)


def is_plain(text: str | bytes) -> bool:
    """Whether there is nothing in `text` that `escape_text` would have to spell out."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    return escape_text(text) == text


def _spell(match: re.Match[str]) -> str:
    character = match[0]
    if unicodedata.category(character) not in HIDDEN_CATEGORIES:
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape: a byte that was no UTF-8
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
