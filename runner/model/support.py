"""What the schema can say and this version cannot do yet: asked for, it is refused, never ignored (promise 9)."""

from __future__ import annotations

from runner.model.policy import Policy


def unsupported(policy: Policy) -> list[str]:
    """One full sentence, key first, for each thing that `policy` asks for and this version cannot enforce."""
    reasons = []
    if policy.limits.cost_usd is not None:
        reasons.append("limits.cost_usd cannot be watched yet: this version reads no agent's usage events.")
    return reasons
