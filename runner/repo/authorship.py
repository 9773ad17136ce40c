"""What a commit says about who, when and with whose consent, and nobody can have checked. Pure.

Inside a sandbox an agent can write any name and date. What Paddock knows itself is when the agent worked, and that
nobody else was there.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

from runner.repo.evidence import Commit, Evidence, Span

OURS = frozenset({"agent@paddock.invalid", "paddock@localhost"})
SLACK = 3600
"""Seconds: clocks of one machine may be set while an agent works."""
_ADDRESS = re.compile(r"<([^<>]*)>")
_UTF8 = frozenset({"", "utf-8", "utf8"})


def people_of(who: str) -> frozenset[str]:
    """Name and address of `Ada <ada@example.com>`, each by itself, in small letters."""
    name = who.partition("<")[0].strip().casefold()
    return frozenset(each for each in (name, address_of(who)) if each) - OURS


def address_of(who: str) -> str:
    """The address of `Ada <ada@example.com>`, in small letters; empty when there is none."""
    found = _ADDRESS.search(who)
    return found[1].strip().casefold() if found else ""


def is_a_matter(commit: Commit) -> bool:
    """Whether it matters who is known in the user's history: somebody else than an agent of ours is named."""
    return bool(commit.claims) or not {address_of(commit.author), address_of(commit.committer)} <= OURS


def faults_of_commit(commit: Commit, evidence: Evidence) -> list[str]:
    """What is forged, or may be, in one commit."""
    found = [*_identities(commit, evidence.people), *_claims(commit, evidence.people)]
    if evidence.span:
        found += _dates(commit, evidence.span)
    if commit.encoding.lower() not in _UTF8:
        found.append(f"its texts are said to be in {commit.encoding}")
    if set(commit.signatures) - {"mergetag"}:
        found.append("it is signed, by whom is not checked")
    return found


def _identities(commit: Commit, people: frozenset[str]) -> Iterator[str]:
    roles = {"author": commit.author, "committer": commit.committer}
    if commit.author == commit.committer:
        roles = {"author and committer": commit.author}
    for role, who in roles.items():
        if address_of(who) not in OURS and people_of(who) & people:
            yield f"{role} {who} is somebody of this repository"


def _claims(commit: Commit, people: frozenset[str]) -> Iterator[str]:
    """A sign-off by the author, and a co-author whom nobody knows, are what honest agents write."""
    own = {address_of(commit.author), address_of(commit.committer)} | OURS
    for claim in commit.claims:
        kind, _, who = claim.partition(":")
        if address_of(who) in own and people_of(who).isdisjoint(people):
            continue
        if kind.strip().lower() != "co-authored-by" or people_of(who) & people:
            yield f"it says {claim[:200]}"


def _dates(commit: Commit, span: Span) -> Iterator[str]:
    for word, at in (("written", commit.authored), ("committed", commit.committed)):
        if at is None:
            yield f"it does not say when it was {word}"
        elif at > span.ended + SLACK:
            yield f"{word} {_day(at)}, after the run"
        elif at < span.begun - SLACK:
            yield f"{word} {_day(at)}, before the run"


def _day(at: int) -> str:
    """A date for people; git takes any number, calendars do not."""
    try:
        return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return f"at second {at}"
