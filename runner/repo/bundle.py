"""The head of a git bundle, read without git: what it claims to hold and what it builds upon.

The format is git's `gitformat-bundle`. Only what our collector writes is accepted: no filters, no unknown capability.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_HEADER = 4 * 1024 * 1024
HEX_LENGTHS = {"sha1": 40, "sha256": 64}

_SIGNATURES = {b"# v2 git bundle": 2, b"# v3 git bundle": 3}
_HEX = re.compile(rb"[0-9a-f]+")
_REF = re.compile(rb"refs/[A-Za-z0-9][A-Za-z0-9/_-]{0,200}")


class BundleFormatError(ValueError):
    """These bytes are not the head of a bundle that we accept; the message says where it goes wrong."""


@dataclass(frozen=True, slots=True)
class BundleHeader:
    """What stands before the pack."""

    version: int
    object_format: str
    prerequisites: tuple[str, ...]
    refs: dict[str, str]
    """Full ref name -> object id."""
    pack_offset: int
    """Where in the file the pack begins."""


def parse_bundle_header(data: bytes) -> BundleHeader:
    """Read the head of a bundle from its first bytes (`MAX_HEADER` are enough for any that we accept).

    Raises BundleFormatError for everything that is not exactly a version 2 or 3 header with plain ref names.
    """
    end = data.find(b"\n\n", 0, MAX_HEADER)
    if end < 0:
        raise BundleFormatError("the header of the bundle does not end")
    first, *lines = data[:end].split(b"\n")
    if first not in _SIGNATURES:
        raise BundleFormatError("this is not a git bundle of version 2 or 3")
    version = _SIGNATURES[first]
    object_format, lines = _capabilities(version, lines)
    prerequisites: list[str] = []
    refs: dict[str, str] = {}
    for line in lines:
        if line.startswith(b"-") and not refs:
            prerequisites.append(_object_id(line[1:].partition(b" ")[0], object_format))
            continue
        object_id, space, name = line.partition(b" ")
        if not space or not _REF.fullmatch(name) or name.decode("ascii") in refs:
            raise BundleFormatError("a line of the bundle's header is neither a prerequisite nor a plain new ref")
        refs[name.decode("ascii")] = _object_id(object_id, object_format)
    return BundleHeader(version, object_format, tuple(prerequisites), refs, end + 2)


def _capabilities(version: int, lines: list[bytes]) -> tuple[str, list[bytes]]:
    """The object format, and the lines that are left."""
    object_format = "sha1"
    count = 0
    while version == 3 and count < len(lines) and lines[count].startswith(b"@"):
        key, _, value = lines[count][1:].partition(b"=")
        if key != b"object-format" or value not in (b"sha1", b"sha256") or count:
            raise BundleFormatError("the bundle asks for a capability that we do not accept")
        object_format = value.decode("ascii")
        count += 1
    return object_format, lines[count:]


def _object_id(text: bytes, object_format: str) -> str:
    if len(text) != HEX_LENGTHS[object_format] or not _HEX.fullmatch(text):
        raise BundleFormatError(f"the bundle's header holds something that is no {object_format} id")
    return text.decode("ascii")
