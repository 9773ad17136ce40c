"""Knows below which names anybody can register a host, from the Public Suffix List (https://publicsuffix.org/list/)."""

from __future__ import annotations

from functools import cache

# Every customer's store has a name of its own below these, and the list has not heard of them.
_MISSING = ("cloudflarestorage.com", "r2.cloudflarestorage.com")


def is_shared(name: str) -> bool:
    """Whether hosts below `name` (canonical, two labels or more) belong to more than one owner.

    So it is for a public suffix (`co.uk`, `github.io`) and for a name above one (`amazonaws.com`, with
    `s3.amazonaws.com` below it). The list is searched as text: that takes a millisecond, parsing it fifty.
    """
    if name in _MISSING:
        return True
    rules, unicode = _rules(), _unicode(name)
    parent = unicode.partition(".")[2]
    if f"\n!{unicode}\n" in rules:
        return False
    return f"\n{unicode}\n" in rules or f"\n*.{parent}\n" in rules or f".{unicode}\n" in rules


@cache
def _rules() -> str:
    """The list's rules, one on a line, each line after a line feed; read when the first wildcard is."""
    from publicsuffixlist import PSLFILE

    with open(PSLFILE, encoding="utf-8") as file:  # noqa: PTH123 - a text, and pathlib would be one more import
        lines = file.read().split("\n")
    return "\n" + "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"


def _unicode(name: str) -> str:
    """The form in which the list writes internationalised names."""
    return ".".join(
        label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label for label in name.split(".")
    )
