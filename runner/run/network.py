"""A run's network: what its policy lets out, decided before anything starts, and the gateway while the sandbox lives.

Loaded only where a policy opens the network.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.egress.addresses import PrivateEntries, compile_private
from runner.egress.audit import summary
from runner.egress.budget import Budget
from runner.egress.gateway import Gateway, open_gateway
from runner.egress.inject import Injected, injected
from runner.egress.observe import given_rules, would_have_denied
from runner.egress.order import GatewayOrder
from runner.egress.outside import Outside
from runner.egress.rules import Reason, Rule, Rules, compile_rules
from runner.errors import PolicyError, UsageError
from runner.model.destinations import HTTP_PORT, TLS_PORT
from runner.model.network import REGISTRY_GROUPS, NetworkRow
from runner.model.policy import Limits, Network
from runner.model.spec import ImageRef
from runner.model.usage import Used
from runner.report.network import busiest, without_canary
from runner.report.network_groups import groups_in
from runner.run.groups import shipped_groups
from runner.run.host import Host
from runner.store.runs import RunPaths
from runner.store.secret_sources import load_secrets

NOTHING_USED = Used()
MOST_DENIALS = 200
"""Rows in a result document; `egress.jsonl` has all."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """The way out of one sandbox, decided."""

    rules: Rules
    private: PrivateEntries
    upload_limit: int
    injections: tuple[Injected, ...] = ()
    tls: ssl.SSLContext | None = None
    """Whom the gateway trusts where it injects."""
    notices: tuple[str, ...] = ()


def decide_route(network: Network, image: ImageRef, host: Host, trust: ssl.SSLContext | None = None) -> Route:
    """What `network` means for a sandbox of that image. Every group in it is known. Raises `ImageError`.

    `trust` is whom the gateway trusts where it injects; the default is what the settings say.
    """
    groups = shipped_groups()
    wanted = registry_groups(network)
    found = dict(host.engine.registries(image)) if wanted else {}
    groups |= {name: tuple(found.get(name, ())) for name in REGISTRY_GROUPS}
    rules = compile_rules(network, groups)
    injections = load_injections(network, rules, host)
    ports = tuple(Rule(kind="name", name=each.host, ports=(HTTP_PORT,)) for each in injections)
    return Route(
        rules=rules.model_copy(update={"allow": (*rules.allow, *ports)}),
        injections=injections,
        tls=trust or trusted(host.settings.extra_ca) if injections else None,
        private=compile_private(network.private),
        upload_limit=network.upload_limit,
        notices=tuple(
            f"@{name} stands for nothing: the image {image.name} has no such tool, or none with a registry."
            for name in sorted(wanted)
            if not groups[name]
        ),
    )


def load_injections(network: Network, rules: Rules, host: Host) -> tuple[Injected, ...]:
    """The credentials that the gateway will add. Raises `RefusedError` for a secret that is missing."""
    for each in network.inject:
        if Reason.DENIED in {rules.decide(each.host, port).reason for port in (HTTP_PORT, TLS_PORT)}:
            raise PolicyError(f"network.inject: {each.host} is in network.deny, and deny beats inject.")
    secrets = load_secrets((each.secret for each in network.inject), host.settings.secrets, host.variable)
    return tuple(injected(each.host, each.header, secrets[each.secret]) for each in network.inject)


def trusted(extra_ca: Path | None) -> ssl.SSLContext:
    """The system's authorities and, where a setting names them, others. Raises `UsageError`."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if extra_ca is not None:
        try:
            context.load_verify_locations(extra_ca)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"Setting extra_ca: {extra_ca} cannot be read: {error.strerror or error}.") from error
    return context


def registry_groups(network: Network) -> frozenset[str]:
    """The groups of `network` that only an image can explain."""
    return REGISTRY_GROUPS.intersection(groups_in(network))


@contextmanager
def open_network(
    route: Route,
    paths: RunPaths,
    outside: Outside | None = None,
    limits: Limits | None = None,
    before: Used = NOTHING_USED,
) -> Iterator[Gateway]:
    """The gateway of one run, open as long as the scope lasts; it holds the budget of `limits`, less what was used."""
    order = GatewayOrder(
        rules=route.rules,
        private=route.private,
        upload_limit=route.upload_limit,
        folder=paths.control,
        audit=paths.egress,
        outside=outside or Outside(),
        injections=route.injections,
        budget=budget_of(limits) if limits and route.injections else Budget(),
        before=before,
        tls=route.tls,
    )
    with open_gateway(order) as gateway:
        yield gateway


def budget_of(limits: Limits) -> Budget:
    """What the gateway lets a run use of its models."""
    from runner.report.prices import price_row

    return Budget(tokens=limits.tokens, cost_usd=limits.cost_usd, price=price_row)


Rows = tuple[NetworkRow, ...]


def denied(paths: RunPaths, observed: Route | None = None) -> tuple[Rows, Rows]:
    """What the sandbox asked for and did not get; and what an observed run got that its own policy would have denied.

    Both the most wanted first, and without the self-test's own question.
    """
    rows = without_canary(summary(paths.egress))
    would_deny = would_have_denied(rows, given_rules(observed.rules)) if observed else ()
    refused = (row for row in rows if row.verdict == "refused")
    return busiest(refused, MOST_DENIALS)[0], busiest(would_deny, MOST_DENIALS)[0]
