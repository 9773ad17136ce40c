"""What each reason in a network's record means in plain words: the one table that all who show reasons share."""

from __future__ import annotations

from typing import NamedTuple

from runner.escape import escape_text


class Words(NamedTuple):
    """One reason as a person reads it."""

    sentence: str
    mend: str = ""
    """What would help where an entry in `allow` does not."""
    failed: bool = False
    """Nobody refused it: it was allowed, and did not come about."""


MENDABLE = frozenset({"not-listed", "port-not-listed"})
"""The reasons that an entry in `allow` takes away."""

_TRY_AGAIN = "the policy is not in the way"
_FLOODED = "a run that asks less has room"

REASONS: dict[str, Words] = {
    "listed": Words("the policy lists it"),
    "open": Words("the policy opens every public name"),
    "denied-by-policy": Words("the policy denies it", "`deny` covers it, and deny beats allow"),
    "not-listed": Words("the policy does not list it"),
    "port-not-listed": Words("the policy does not list this port of it"),
    "not-a-name": Words("this is no host's full name", "`allow` takes full names alone, never addresses"),
    "no-such-name": Words("it is allowed, but has no address", _TRY_AGAIN, failed=True),
    "lookup-timed-out": Words("it is allowed, but nobody told its address in time", _TRY_AGAIN, failed=True),
    "connect-timed-out": Words("it is allowed, but did not answer in time", _TRY_AGAIN, failed=True),
    "own-addresses-unknown": Words("this host could not list its own addresses", _TRY_AGAIN, failed=True),
    "gateway-closed": Words("the run ended meanwhile", _TRY_AGAIN, failed=True),
    "client-gone": Words("the program went away before it sent anything", failed=True),
    "upload-limit": Words("the run had sent out all that it may", "`network.upload_limit` decides that"),
    "budget": Words(
        "the run had used up what it may of its model", "`limits.tokens` and `limits.cost_usd` decide that"
    ),
    "audit-full": Words("the record is full, and nothing goes unrecorded", _FLOODED),
    "too-many-connections": Words("too many connections at one time", _FLOODED),
    "malformed-line": Words("something inside spoke to the gateway directly, and not as the sandbox does"),
    "malformed-port": Words("something inside spoke to the gateway directly, and not as the sandbox does"),
    "line-not-ended": Words("something inside spoke to the gateway directly, and not as the sandbox does"),
    "line-too-long": Words("something inside spoke to the gateway directly, and not as the sandbox does"),
}
"""By the whole reason."""

_OWN_NAME = "the connection has to be for the very name that was looked up"
BEGINNINGS: dict[str, Words] = {
    "address": Words("its address is not public", "`network.private` decides that, for what can be opened at all"),
    "connect-failed": Words("it is allowed, but could not be connected", _TRY_AGAIN, failed=True),
    "tls": Words("what was sent to port 443 is not TLS for that name", _OWN_NAME),
    "upstream": Words(
        "its server did not prove in TLS to be that host", "`extra_ca` decides whom to trust", failed=True
    ),
    "http": Words("what was sent to port 80 is not HTTP for that name", _OWN_NAME),
    "internal-error": Words("a fault of Paddock itself", "please report it", failed=True),
}
"""By what stands before the colon; the rest says more."""


def words_of(reason: str) -> Words:
    """The entry for a reason; one that nobody knows is shown as it stands, escaped."""
    if found := REASONS.get(reason):
        return found
    kind, colon, detail = reason.partition(": ")
    found = BEGINNINGS.get(kind) if colon else None
    if found is None:
        return Words(escape_text(reason))
    return found._replace(sentence=f"{found.sentence}: {escape_text(detail)}")


def times(count: int) -> str:
    """How often, in words."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
