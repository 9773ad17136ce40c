"""Every gate's name, what a hit of it means, and under which heading a reviewer reads it: data."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field

from runner.model.faults import refuse
from runner.model.result import Verdict
from runner.model.wording import quoted


class Concern(StrEnum):
    """What a reviewer has to look at, the most dangerous first."""

    BROKEN = "is not what it should be"
    SECRET = "looks like a secret"  # noqa: S105 - a heading
    HERE = "runs on this machine"
    CI = "runs in CI"
    AGENTS = "steers agents"
    DEPENDENCIES = "dependencies"
    DISGUISE = "is not what it seems"
    ELSEWHERE = "points elsewhere"
    SIZE = "size"
    LEFT_BEHIND = "did not come along as it was"


GATES: dict[str, tuple[Verdict, Concern]] = {
    "git-structure": (Verdict.BLOCKED, Concern.BROKEN),
    "ancestry": (Verdict.BLOCKED, Concern.BROKEN),
    "bundle-size": (Verdict.BLOCKED, Concern.SIZE),
    "commit-count": (Verdict.BLOCKED, Concern.SIZE),
    "file-count": (Verdict.BLOCKED, Concern.SIZE),
    "repeated-signatures": (Verdict.BLOCKED, Concern.BROKEN),
    "secrets": (Verdict.FLAGGED, Concern.SECRET),
    "runs-later": (Verdict.FLAGGED, Concern.HERE),
    "runs-in-ci": (Verdict.FLAGGED, Concern.CI),
    "steers-agents": (Verdict.FLAGGED, Concern.AGENTS),
    "dependencies": (Verdict.FLAGGED, Concern.DEPENDENCIES),
    "names": (Verdict.FLAGGED, Concern.DISGUISE),
    "hidden-text": (Verdict.FLAGGED, Concern.DISGUISE),
    "authorship": (Verdict.FLAGGED, Concern.DISGUISE),
    "symlinks": (Verdict.FLAGGED, Concern.ELSEWHERE),
    "gitlinks": (Verdict.FLAGGED, Concern.ELSEWHERE),
    "gitmodules": (Verdict.FLAGGED, Concern.ELSEWHERE),
    "lfs-pointers": (Verdict.FLAGGED, Concern.ELSEWHERE),
    "large-files": (Verdict.FLAGGED, Concern.SIZE),
    "refs": (Verdict.FLAGGED, Concern.LEFT_BEHIND),
    "leftovers": (Verdict.FLAGGED, Concern.LEFT_BEHIND),
}
"""Name -> what a hit means unless it, or the policy, says otherwise, and the heading."""

BLOCK = "block"


def heading(name: str) -> str:
    """Under which a reviewer reads a gate's findings; the gate's own name where this version does not know it."""
    return f"{GATES[name][1].value} ({name})" if name in GATES else name


def danger(name: str) -> int:
    """The place of a gate among all, the most dangerous first; one that this version does not know comes last."""
    order = list(Concern)
    return order.index(GATES[name][1]) if name in GATES else len(order)


def _checked(words: dict[str, str]) -> dict[str, str]:
    refuse([((name,), fault) for name, word in words.items() if (fault := _fault(name, word))])
    return words


def _fault(name: str, word: str) -> str:
    if name not in GATES:
        import difflib  # for a mistake alone

        close = difflib.get_close_matches(name.lower()[:64].replace("_", "-"), GATES, n=1, cutoff=0.6)
        guess = f"; did you mean {quoted(close[0])}?" if close else f"; there are {', '.join(sorted(GATES))}"
        return f"there is no gate of this name{guess}"
    if word != BLOCK:
        return f'must be "block", not the text {quoted(word)}: a policy makes a gate stricter, never laxer'
    return ""


GateWords = Annotated[
    dict[str, str],
    AfterValidator(_checked),
    Field(json_schema_extra={"additionalProperties": {"const": BLOCK}, "propertyNames": {"enum": list(GATES)}}),
]
"""What a policy may say of gates: that a hit of one blocks. That one blocks no longer cannot be said."""
