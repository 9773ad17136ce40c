"""Knows below which names anybody can register a host, from the Public Suffix List (https://publicsuffix.org/list/)."""

from __future__ import annotations

from functools import cache, lru_cache

SEARCHES = 32
"""So many names are searched for in the list as text; whoever asks for more is answered by an index."""

# Every customer's store has a name of its own below these, and the list has not heard of them.
_MISSING = ("cloudflarestorage.com", "r2.cloudflarestorage.com")


@lru_cache(maxsize=4096)
def is_shared(name: str) -> bool:
    """Whether hosts below `name` (canonical, two labels or more) belong to more than one owner.

    So it is for a public suffix (`co.uk`, `github.io`) and for a name above one (`amazonaws.com`, with
    `s3.amazonaws.com` below it). The list is searched as text: that takes a millisecond, an index fifty and
    then nothing; a file of thousands of wildcards gets the index.
    """
    if name in _MISSING:
        return True
    unicode = _unicode(name)
    parent = unicode.partition(".")[2]
    if is_shared.cache_info().misses > SEARCHES:
        lines, above = _index()
        return f"!{unicode}" not in lines and (unicode in lines or f"*.{parent}" in lines or unicode in above)
    rules = _rules()
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


@cache
def _index() -> tuple[frozenset[str], frozenset[str]]:
    """Every rule, and every name above one."""
    lines = frozenset(_rules().split())
    above: set[str] = set()
    for line in lines:
        rest = line
        while rest := rest.partition(".")[2]:
            above.add(rest)
    return lines, frozenset(above)


def _unicode(name: str) -> str:
    """The form in which the list writes internationalised names."""
    return ".".join(
        label[4:].encode("ascii").decode("punycode") if label.startswith("xn--") else label for label in name.split(".")
    )
