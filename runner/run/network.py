"""A run's network: the gateway that holds its route while the sandbox lives, and what it noted.

Brings asyncio along: loaded only where a policy opens the network, while the engine starts the sandbox.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runner.egress.audit import summary
from runner.egress.budget import Budget
from runner.egress.gateway import Gateway, open_gateway
from runner.egress.observe import given_rules, would_have_denied
from runner.egress.order import GatewayOrder
from runner.egress.outside import Outside
from runner.model.network import NetworkRow
from runner.model.policy import Limits
from runner.model.usage import Used
from runner.report.network import busiest, without_canary
from runner.run.route import Route, load_authorities
from runner.store.runs import RunPaths

NOTHING_USED = Used()
MOST_DENIALS = 200
"""Rows in a result document; `egress.jsonl` has all."""


def trusted(extra_ca: Path | None) -> ssl.SSLContext:
    """The system's authorities and, where a setting names them, others. Raises `UsageError`."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if extra_ca is not None:
        load_authorities(context, extra_ca)
    return context


@contextmanager
def open_network(  # noqa: PLR0913 - what a gateway has to know comes from so many places
    route: Route,
    paths: RunPaths,
    *,
    outside: Outside | None = None,
    limits: Limits | None = None,
    before: Used = NOTHING_USED,
    listener: socket.socket | None = None,
) -> Iterator[Gateway]:
    """The gateway of one run, open as long as the scope lasts; it holds the budget of `limits`, less what was used.

    `listener` is its socket, where that was made already.
    """
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
        tls=trusted(route.extra_ca) if route.injections else None,
    )
    with open_gateway(order, listener) as gateway:
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
