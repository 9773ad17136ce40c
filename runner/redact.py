"""Masks secret values in a stream of bytes, also where a value crosses the border between two pieces.

The time is linear in the stream and in the values, whatever an agent prints: both may be made of one letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MASK = b"[secret]"
MIN_LENGTH = 6
"""Shorter values are not masked: they would blank out ordinary text and hide what happened."""


class Redactor:
    """One stream's state. `feed` gives what can be shown already, `flush` the rest."""

    def __init__(self, secrets: Iterable[str], *, same_length: bool = False) -> None:
        """With `same_length` a value is replaced by as many asterisks, so that lengths that were told stay right."""
        self._same_length = same_length
        values = {secret.encode() for secret in secrets if len(secret.encode()) >= MIN_LENGTH}
        # The longest first: a value that begins with another one is masked whole.
        self._values = sorted(values, key=len, reverse=True)
        self._beginnings = [_Beginning(value) for value in self._values]
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """`data` with every whole value masked; what may be the beginning of a value is held back."""
        if not self._values:
            return data
        for beginning in self._beginnings:
            beginning.read(self._held, data)
        text = self._held + data
        end = len(text) - max(beginning.length for beginning in self._beginnings)
        shown, position = self._masked(text, end)
        end = max(end, position)
        self._held = text[end:]
        return shown + text[position:end]

    @property
    def holds(self) -> bool:
        """Whether something is held back."""
        return bool(self._held)

    def flush(self) -> bytes:
        """What was held back, at the end of the stream."""
        rest, self._held = self._held, b""
        shown, position = self._masked(rest, len(rest))
        return shown + rest[position:]

    def _masked(self, text: bytes, end: int) -> tuple[bytes, int]:
        """`text` up to the end of the last value that begins before `end`, and where that is."""
        pieces, position = [], 0
        for start, stop in self._found(text):
            if start >= end:
                break
            pieces += [text[position:start], b"*" * (stop - start) if self._same_length else MASK]
            position = stop
        return b"".join(pieces), position

    def _found(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Where values are, from the left, without overlaps."""
        position = 0
        places = [text.find(value) for value in self._values]
        while any(place >= 0 for place in places):
            # Of two that begin together `min` takes the first, which is the longer one.
            start, index = min((place, index) for index, place in enumerate(places) if place >= 0)
            position = start + len(self._values[index])
            yield start, position
            places = [
                text.find(value, position) if 0 <= place < position else place
                for value, place in zip(self._values, places, strict=True)
            ]


class _Beginning:
    """How much of one value the end of a stream is: the automaton of Knuth, Morris and Pratt."""

    def __init__(self, value: bytes) -> None:
        self._value = value
        self._shorter = _borders(value)
        self.length = 0
        """Of the longest end of what was read that the value begins with; never the whole value."""

    def read(self, held: bytes, data: bytes) -> None:
        """Go on with `data`, which follows `held`, the end of what was read that still counts."""
        longest = len(self._value) - 1
        if len(data) >= longest:  # what came before is too far away
            held, data = b"", data[len(data) - longest :]
        length = self.length
        while length > len(held):
            length = self._shorter[length]
        for byte in data:
            while length and (length > longest or self._value[length] != byte):
                length = self._shorter[length]
            length += self._value[length] == byte
        self.length = self._shorter[length] if length > longest else length


def _borders(value: bytes) -> list[int]:
    """For each length of a beginning of `value`: the longest shorter beginning that it ends with."""
    borders = [0, 0]
    length = 0
    for byte in value[1:]:
        while length and value[length] != byte:
            length = borders[length]
        length += value[length] == byte
        borders.append(length)
    return borders
