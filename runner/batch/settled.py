"""How one try of a task went, whether it is made again and when, and which attempt is the best. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_base, wait_exponential, wait_random

from runner.model.result import Outcome, RunResult
from runner.store.batches import AttemptRow

Fault = Literal["", "engine", "overload", "agent", "unbegun", "never"]
"""Whose fault a failure is: ours or the engine's, the model's provider's, the agent's. `unbegun`: our process died
before there was anything to do again. `never`: it would come again."""

AGENTS_OWN = frozenset(
    {
        Outcome.AGENT_FAILED,
        Outcome.TIMED_OUT,
        Outcome.IDLE,
        Outcome.OUT_OF_MEMORY,
        Outcome.DISK_EXCEEDED,
        Outcome.OUTPUT_EXCEEDED,
        Outcome.CHECK_FAILED,
        Outcome.NO_CHANGES,
    }
)
MOST_RETRIES: dict[Fault, int] = {"engine": 3, "overload": 6}
WAITS: dict[Fault, wait_base] = {
    "engine": wait_exponential(multiplier=2, max=60) + wait_random(0, 2),
    "overload": wait_exponential(multiplier=15, max=600) + wait_random(0, 15),
    "agent": wait_exponential(multiplier=1, max=60) + wait_random(0, 1),
}


class Settled(NamedTuple):
    """One try that is over."""

    outcome: str
    ok: bool
    fault: Fault = ""
    run: str = ""
    reason: str = ""
    check: str = ""
    branch: str = ""
    commits: int = 0
    lines: int = 0
    cost_usd: float = 0.0


def settled_of(result: RunResult, *, overloaded: bool = False) -> Settled:
    """What a batch keeps of a result."""
    ok = result.exit_code == 0
    check = "" if result.check is None else "failed" if result.check.failed else "passed"
    rounds = [each.cost_usd or 0.0 for each in result.rounds] or [result.cost_usd or 0.0]
    return Settled(
        outcome=result.outcome.value,
        ok=ok,
        fault="" if ok else fault_of(result.outcome, overloaded=overloaded),
        run=result.id,
        reason=result.reason,
        check=check,
        branch=result.branch,
        commits=len(result.commits),
        lines=sum(each.insertions + each.deletions for each in result.commits),
        cost_usd=sum(rounds),
    )


def fault_of(outcome: Outcome, *, overloaded: bool = False) -> Fault:
    """Whose fault it is that a run did not succeed."""
    if outcome is Outcome.ENGINE_FAILED:
        return "engine"
    if outcome in AGENTS_OWN:
        return "overload" if overloaded else "agent"
    return "never"


def wait_before(fault: Fault, failures: int, asked: int) -> float | None:
    """Seconds until the next try, after that many failures in a row; `None`: there is none.

    `asked` is how often the file wants an agent's own failure to be tried again.
    """
    if fault == "unbegun":
        return 0.0
    most = asked if fault == "agent" else MOST_RETRIES.get(fault, 0)
    if failures > most:
        return None
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = failures
    return float(WAITS[fault](state))


def best_of(attempts: Iterable[AttemptRow]) -> AttemptRow:
    """The attempt that stands for its task: what succeeded, then what passed its check, then the smallest diff."""
    return min(attempts, key=_rank)


def _rank(row: AttemptRow) -> tuple[bool, int, bool, int, int]:
    checks = {"passed": 0, "": 1, "failed": 2}
    return (not row.ok, checks[row.check], not row.branch, row.lines, row.attempt)
