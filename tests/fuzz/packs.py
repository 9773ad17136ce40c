"""Objects, packs and bundles made by hand, right or wrong."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

NUMBERS = {b"commit": 1, b"tree": 2, b"blob": 3, b"tag": 4}


@dataclass(frozen=True)
class Thing:
    """One object."""

    kind: bytes
    data: bytes

    @property
    def sha(self) -> str:
        """The id that git gives it."""
        return hashlib.sha1(b"%s %d\0" % (self.kind, len(self.data)) + self.data).hexdigest()  # noqa: S324 - git's


def entry_head(number: int, size: int) -> bytes:
    """What stands before an object in a pack: its type, and its size after inflation."""
    first, size = (number << 4) | (size & 15), size >> 4
    out = b""
    while size:
        out, first, size = out + bytes([first | 0x80]), size & 0x7F, size >> 7
    return out + bytes([first])


def varint(number: int) -> bytes:
    """A size as deltas write it."""
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def packed(thing: Thing) -> bytes:
    """An object as an entry of a pack."""
    return entry_head(NUMBERS.get(thing.kind, 5), len(thing.data)) + zlib.compress(thing.data)


def delta(base: str, before: int, after: int, steps: bytes) -> bytes:
    """An entry that says how an object is made of another one; nothing of it need be true."""
    text = varint(before) + varint(after) + steps
    return entry_head(7, len(text)) + bytes.fromhex(base) + zlib.compress(text)


def pack(entries: Sequence[bytes], *, count: int | None = None, version: int = 2) -> bytes:
    """A pack of these entries; `count` is what its head says."""
    data = b"PACK" + struct.pack(">II", version, len(entries) if count is None else count) + b"".join(entries)
    return data + hashlib.sha1(data).digest()  # noqa: S324 - git's


def bundle(refs: Mapping[str, str], excluded: Sequence[str], data: bytes) -> bytes:
    """A bundle with these refs and prerequisites."""
    lines = [b"# v2 git bundle", *(b"-" + sha.encode() for sha in excluded)]
    lines += [f"{sha} {ref}".encode() for ref, sha in refs.items()]
    return b"\n".join(lines) + b"\n\n" + data
