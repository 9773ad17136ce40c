"""An image that a repository offers, shown to whoever is to trust it: all that would be used, escaped and bounded."""

from __future__ import annotations

from collections.abc import Iterator

from runner.escape import escape_text
from runner.model.offer import Offer, OfferedFile

MOST_SHOWN = 64 * 1024
"""Bytes of one file that are shown; the Dockerfile is shown whole, whatever its size."""
MOST_SHOWN_IN_ALL = 512 * 1024


def offer_lines(offer: Offer) -> Iterator[str]:
    """What would be pulled or built, and the digest. What is not shown is named, with the reason and its own digest."""
    yield f"Offered by {escape_text(offer.origin)}:"
    if offer.reference:
        yield f"  pulled    {escape_text(offer.reference)}"
        if "@sha256:" not in offer.reference:
            yield "            This name has no digest: what it stands for may change after you trusted it."
    else:
        yield from _build_lines(offer)
    for what in offer.left_out:
        yield f"  left out  {escape_text(what)}"
    for key in offer.ignored:
        yield f"  ignored   {escape_text(key)}"
    yield from _file_lines(offer)
    yield ""
    yield f"Digest: {offer.digest}"


def _build_lines(offer: Offer) -> Iterator[str]:
    yield f"  built     {escape_text(offer.dockerfile)}, from {len(offer.files)} files of the commit"
    if offer.target:
        yield f"  target    {escape_text(offer.target)}"
    for name, value in sorted(offer.arguments.items()):
        yield f"  argument  {escape_text(name)}={escape_text(value)}"


def _file_lines(offer: Offer) -> Iterator[str]:
    """The Dockerfile first. Every line of a file begins with a bar, so that none can pass for one of ours."""
    left = MOST_SHOWN_IN_ALL
    for file in sorted(offer.files, key=lambda file: (file.path != offer.dockerfile, file.path)):
        fault = "" if file.path == offer.dockerfile else _why_not_shown(file, left)
        program = ", a program" if file.mode & 0o100 else ""
        yield ""
        yield f"File {escape_text(file.path)} ({len(file.data)} bytes{program})"
        if fault:
            yield f"  not shown: {fault}; {file.digest}"
            continue
        left -= len(file.data)
        text = file.data.decode("utf-8", "surrogateescape").removesuffix("\n")
        yield from (f"  | {escape_text(line.expandtabs(4))}" for line in text.split("\n"))


def _why_not_shown(file: OfferedFile, left: int) -> str:
    if b"\0" in file.data:
        return "it is no text"
    if len(file.data) > MOST_SHOWN:
        return f"it is longer than {MOST_SHOWN} bytes"
    return "too much is shown already" if len(file.data) > left else ""
