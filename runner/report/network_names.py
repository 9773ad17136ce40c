"""Judges names that a sandbox asked for: whose they are, and whether a machine made them up to carry data. Pure."""

from __future__ import annotations

import re

from runner.model.suffixes import is_shared

LONGEST_LABEL = 30
MOST_LABELS = 6
LONGEST_BELOW = 60
"""Characters before the owner's own name."""

_WORDS = re.compile(r"[-_.]+")
_HEX = re.compile(r"(?=.*[0-9])[0-9a-f]{8,}|[0-9a-f]{16,}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{9,}", re.ASCII)
_TURNS = re.compile(r"(?<=[a-z])[0-9]|(?<=[0-9])[a-z]", re.ASCII)
_VOWELS = frozenset("aeiouy")


def owner_of(name: str) -> str:
    """The domain that one owner holds and `name` (canonical) lies in, by the Public Suffix List."""
    labels = name.split(".")
    count = 2
    while count < len(labels) and is_shared(".".join(labels[-count:])):
        count += 1
    return ".".join(labels[-count:])


def looks_made(name: str) -> bool:
    """Whether a canonical name looks like encoded data rather than like a word that a person chose.

    A guess for a person's eyes, which lets nothing through and keeps nothing out: content networks have such names
    too, and who spells data in short words is not found by it.
    """
    labels = name.split(".")
    below = name.removesuffix(owner_of(name))
    if len(labels) > MOST_LABELS or len(below) > LONGEST_BELOW:
        return True
    return any(map(_label_looks_made, labels[:-1]))


def _label_looks_made(label: str) -> bool:
    if label.startswith("xn--"):
        return len(label) > LONGEST_LABEL
    return len(label) > LONGEST_LABEL or any(map(_word_looks_made, _WORDS.split(label)))


def _word_looks_made(word: str) -> bool:
    if _HEX.fullmatch(word) or _NUMBER.fullmatch(word):
        return True
    if len(word) >= 12 and len(_TURNS.findall(word)) >= 3:
        return True
    vowels = sum(letter in _VOWELS for letter in word)
    return len(word) >= 14 and vowels * 5 < len(word)
