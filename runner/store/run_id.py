"""Names of runs: `2026-11-20-fix-warnings-k3f9` sorts by day, reads aloud, and is safe wherever a name is needed.

It becomes a directory, a container's name, a host name (63 characters) and a branch: `a-z`, `0-9` and `-` are all
that every one of them accepts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date

MAX_SLUG = 40
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Base 32 without i, l, o and u, which are mistaken for other signs or spell words."""

_SUFFIX = 4
RUN_ID = re.compile(rf"\d{{4}}-\d\d-\d\d-[a-z0-9]+(?:-[a-z0-9]+)*-[{ALPHABET}]{{{_SUFFIX}}}", re.ASCII)


def slug_of(text: str) -> str:
    """`text` as words of `a-z0-9` joined by `-`: 40 characters at most, cut between words if that keeps most."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(slug) > MAX_SLUG:
        cut = slug[: MAX_SLUG + 1].rfind("-")
        slug = slug[: cut if cut > MAX_SLUG // 2 else MAX_SLUG].strip("-")
    return slug or "run"


def new_run_id(slug: str, today: date, random: Callable[[int], int]) -> str:
    """A run's id from `slug_of` some text, the day, and `random(n)`, a number from 0 to n-1 (`secrets.randbelow`)."""
    suffix = "".join(ALPHABET[random(len(ALPHABET))] for _ in range(_SUFFIX))
    return f"{today:%Y-%m-%d}-{slug_of(slug)}-{suffix}"
