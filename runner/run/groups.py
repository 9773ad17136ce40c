"""The groups that policies may name, and a refusal for one that nobody defines."""

from __future__ import annotations

from runner.egress.groups import load_groups
from runner.errors import PolicyError
from runner.model.network import REGISTRY_GROUPS
from runner.model.policy import Network
from runner.report.network_groups import unknown_groups
from runner.shipped import shipped


def shipped_groups() -> dict[str, tuple[str, ...]]:
    """What the groups in Paddock's own file stand for."""
    return load_groups(shipped("policies") / "groups.toml")


def refuse_unknown_groups(network: Network, policy: str) -> None:
    """Raises `PolicyError` that names a group of `network` which nobody defines, and those that there are."""
    known = {*shipped_groups(), *REGISTRY_GROUPS}
    if unknown := unknown_groups(network, known):
        raise PolicyError(
            f"{policy}: network: no group is called @{unknown[0]}.",
            hint=f"There are {', '.join('@' + group for group in sorted(known))}.",
        )
