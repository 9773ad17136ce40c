"""The one word for a run, from what is known of its end. Never from anything that the agent says."""

from __future__ import annotations

from runner.model.base import Record
from runner.model.policy import Limits
from runner.model.quantities import format_duration, format_size
from runner.model.result import EXIT_CODES, EXIT_EXPECTED_CHANGES, GateResult, Outcome, Verdict


class End(Record):
    """What is known of a run's end."""

    stopped: Outcome | None
    """Why Paddock stopped the agent; `None` when it ended by itself."""
    exit_code: int | None
    """The container's exit code; `None` when the engine lost it."""
    out_of_memory: bool = False
    gates: tuple[GateResult, ...] = ()
    changed: bool = False
    left: bool = False
    """Whether work was left in the workspace."""
    budget: str = ""
    """Which budget was used up."""
    check_failed: bool = False
    """Whether the user's own check did not succeed."""
    failure: str = ""
    """What failed on our side, if anything did."""


def decide_outcome(end: End) -> Outcome:
    """A broken limit first (promise 4: each has an outcome of its own), then our failure, the gates, the agent's code.

    `no-changes` is said only when the agent left nothing; work that stays in the workspace was kept out of the
    repository, as by a gate. The kernel's mark for out-of-memory counts only with a failing exit code: it is set as
    well when a mere child was killed and the agent went on to succeed.
    """
    blocked = any(gate.verdict is Verdict.BLOCKED for gate in end.gates)
    facts = (
        (end.stopped is not None, end.stopped),
        (end.out_of_memory and end.exit_code not in {None, 0}, Outcome.OUT_OF_MEMORY),
        (bool(end.failure) or end.exit_code is None, Outcome.ENGINE_FAILED),
        (blocked, Outcome.REJECTED),
        (end.exit_code != 0, Outcome.AGENT_FAILED),
        (end.check_failed, Outcome.CHECK_FAILED),
        (end.changed, Outcome.COMPLETED),
        (end.left, Outcome.REJECTED),
    )
    return next((outcome for holds, outcome in facts if holds and outcome), Outcome.NO_CHANGES)


def exit_code_of(outcome: Outcome, *, expect_changes: bool) -> int:
    """The process's exit code for an outcome (DESIGN 9)."""
    if outcome is Outcome.NO_CHANGES and expect_changes:
        return EXIT_EXPECTED_CHANGES
    return EXIT_CODES[outcome]


def reason_of(outcome: Outcome, end: End, limits: Limits) -> str:
    """What the outcome alone does not tell, in one line; empty where there is nothing to add."""
    blocked = [gate.name for gate in end.gates if gate.verdict is Verdict.BLOCKED]
    reasons = {
        Outcome.AGENT_FAILED: f"exit code {end.exit_code}",
        Outcome.TIMED_OUT: f"limits.wall_clock = {format_duration(limits.wall_clock)}",
        Outcome.IDLE: f"limits.idle = {format_duration(limits.idle)}",
        Outcome.OUT_OF_MEMORY: f"limits.memory = {format_size(limits.memory)}",
        Outcome.DISK_EXCEEDED: f"limits.disk = {format_size(limits.disk)}, limits.files = {limits.files}",
        Outcome.OUTPUT_EXCEEDED: f"limits.output = {format_size(limits.output)}",
        Outcome.BUDGET_EXCEEDED: end.budget,
        Outcome.ENGINE_FAILED: end.failure or "the engine did not say how the container ended",
    }
    if not blocked and end.left:
        reasons[Outcome.REJECTED] = "what the agent left could not be collected, and is in its workspace"
    texts = [reasons.get(outcome, "")]
    if blocked:
        texts.append(f"blocked by {', '.join(blocked)}")
    if end.failure and outcome is not Outcome.ENGINE_FAILED:
        texts.append(end.failure)
    return "; ".join(text for text in texts if text)
