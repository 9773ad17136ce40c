"""Masks secret values in a stream of bytes, also where a value crosses the border between two pieces."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = b"[secret]"
MIN_LENGTH = 6
"""Shorter values are not masked: they would blank out ordinary text and hide what happened."""


class Redactor:
    """One stream's state. `feed` gives what can be shown already, `flush` the rest."""

    def __init__(self, secrets: Iterable[str]) -> None:
        values = {secret.encode() for secret in secrets if len(secret.encode()) >= MIN_LENGTH}
        # The longest first: a value that begins with another one is masked whole.
        ordered = sorted(values, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(re.escape(value) for value in ordered)) if ordered else None
        self._values = ordered
        self._longest = max(map(len, ordered), default=1)
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """`data` with every whole value masked; what may be the beginning of a value is held back."""
        if self._pattern is None:
            return data
        text = self._held + data
        end = len(text) - self._open_end(text)
        masked, position = [], 0
        for match in self._pattern.finditer(text):
            if match.start() >= end:
                break
            masked += [text[position : match.start()], MASK]
            position = match.end()
        end = max(end, position)
        self._held = text[end:]
        return b"".join([*masked, text[position:end]])

    def flush(self) -> bytes:
        """What was held back, at the end of the stream."""
        rest, self._held = self._held, b""
        return self._pattern.sub(MASK, rest) if self._pattern else rest

    def _open_end(self, text: bytes) -> int:
        """Length of the longest tail that is a proper beginning of some value."""
        for length in range(min(self._longest - 1, len(text)), 0, -1):
            tail = text[-length:]
            if any(len(value) > length and value.startswith(tail) for value in self._values):
                return length
        return 0
