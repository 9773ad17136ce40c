"""`--observe`: a run with an open network that tells what its policy would have denied. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from runner.egress.rules import Rules
from runner.errors import RefusedError
from runner.model.network import NetworkRow
from runner.model.policy import Policy
from runner.model.wording import quoted


def observed(policy: Policy) -> Policy:
    """`policy` with an open network and all else as it is: `deny`, `private` and every limit hold.

    A policy without any network is opened too: it would have denied everything, and that is told. Whoever bounds
    policies bounds what this returns, not what it is given. Raises `RefusedError` where there is nothing to observe.
    """
    if policy.network.mode == "open":
        raise RefusedError(
            '--observe opens the network, and the policy has network.mode = "open" already.',
            hint="Leave --observe out; what the policy denies is told at the end of every run.",
        )
    network = policy.network.model_copy(update={"mode": "open"})
    return policy.model_copy(update={"network": network})


def given_rules(rules: Rules) -> Rules:
    """The rules of the policy that was given, from those of the observed one, which differ in the mode alone."""
    return rules.model_copy(update={"mode": "allow"})


def observe_notice(policy: str) -> str:
    """What a run says at its start, for it is less than what its policy promises."""
    return (
        "--observe: the network is open. The agent can reach every public name on ports 80 and 443 and send there "
        f"whatever it can read; what the policy {quoted(policy)} would have denied is told at the end."
    )


def would_have_denied(rows: Iterable[NetworkRow], rules: Rules) -> tuple[NetworkRow, ...]:
    """Those of `rows` that were allowed and that `rules` refuse, with the reason that those would have given."""
    return tuple(
        row.model_copy(update={"verdict": "refused", "reason": reason})
        for row in rows
        if row.verdict == "allowed" and (reason := _refusal(row, rules))
    )


def _refusal(row: NetworkRow, rules: Rules) -> str:
    """Why `rules` would not have let it through; empty where they would."""
    if row.port is None:
        return "" if rules.ports_of(row.name) else rules.denial_of(row.name)
    decision = rules.decide(row.name, row.port)
    return "" if decision.allowed else decision.reason
