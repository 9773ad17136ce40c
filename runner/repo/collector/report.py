"""What the host is told, as /out/report.json."""

from __future__ import annotations

import json
import os
import unicodedata
from typing import Any

MAX_TEXTS = 200
HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


class Report:
    """What the host is told. Texts are cut and their odd characters spelled out; ids and refs are checked ones."""

    def __init__(self) -> None:
        self.head = {"kind": "unreadable", "name": ""}
        self.branches: list[dict[str, Any]] = []
        self.left: list[dict[str, str | bool]] = []
        self.deleted: list[str] = []
        self.odd_refs = 0
        self.odd_names: list[str] = []
        self.other_refs = 0
        self.stash = False
        self.uncommitted = False
        self.salvaged = False
        self.artifacts: list[dict[str, str | int]] = []
        self.problems: list[dict[str, str]] = []
        self.notes: list[str] = []

    def problem(self, code: str, text: str | bytes) -> None:
        if len(self.problems) < MAX_TEXTS:
            self.problems.append({"code": code, "text": spell(text)})

    def note(self, text: str | bytes) -> None:
        if len(self.notes) < MAX_TEXTS:
            self.notes.append(spell(text))

    def odd(self, name: bytes) -> None:
        self.odd_refs += 1
        if len(self.odd_names) < 10:
            self.odd_names.append(spell(name, 200))

    def leave(self, inside: str, sha: str, reason: str, *, holds_work: bool = True) -> None:
        if len(self.left) < MAX_TEXTS or holds_work:
            del self.left[MAX_TEXTS - 1 :]
            self.left.append({"inside": inside, "sha": sha, "reason": spell(reason), "holds_work": holds_work})

    def write(self, out: bytes) -> None:
        partial = out + b"/report.json.partial"
        with open(partial, "w", encoding="ascii") as stream:
            json.dump({"version": 1, **vars(self)}, stream)
        os.rename(partial, out + b"/report.json")


def spell(text: str | bytes, limit: int = 1000) -> str:
    """`text` without control, format and undecodable characters, cut to `limit`."""
    if isinstance(text, bytes):
        text = text[: limit * 4].decode("utf-8", "backslashreplace")
    text = text[:limit]
    return "".join(c if unicodedata.category(c) not in HIDDEN else ascii(c)[1:-1] for c in text)
