"""What a policy lets out of a sandbox, decided before anything starts.

Loaded only where a policy opens the network; `runner.run.network`, which holds it, later still.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from runner.egress.addresses import PrivateEntries, compile_private
from runner.egress.credential import Injected, injected
from runner.egress.rules import Reason, Rule, Rules, compile_rules
from runner.errors import PolicyError, UsageError
from runner.model.destinations import HTTP_PORT, TLS_PORT
from runner.model.network import REGISTRY_GROUPS
from runner.model.policy import Network
from runner.model.spec import ImageRef
from runner.report.network_groups import groups_in
from runner.run.groups import shipped_groups
from runner.run.host import Host
from runner.store.secret_sources import load_secrets


@dataclass(frozen=True, kw_only=True)
class Route:
    """The way out of one sandbox, decided."""

    rules: Rules
    private: PrivateEntries
    upload_limit: int
    injections: tuple[Injected, ...] = ()
    extra_ca: Path | None = None
    """Whom the gateway trusts where it injects, beside the system's authorities."""
    notices: tuple[str, ...] = ()


def decide_route(network: Network, image: ImageRef, host: Host) -> Route:
    """What `network` means for a sandbox of that image. Every group in it is known.

    Raises `ImageError`, `UsageError`, `PolicyError`, and `RefusedError` for a secret that is missing.
    """
    groups = shipped_groups()
    wanted = registry_groups(network)
    found = dict(host.engine.registries(image)) if wanted else {}
    groups |= {name: tuple(found.get(name, ())) for name in REGISTRY_GROUPS}
    rules = compile_rules(network, groups)
    injections = load_injections(network, rules, host)
    if injections and host.settings.extra_ca:  # the gateway reads it again, when it is too late to refuse a bad one
        load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), host.settings.extra_ca)
    ports = tuple(Rule(kind="name", name=each.host, ports=(HTTP_PORT,)) for each in injections)
    return Route(
        rules=rules.model_copy(update={"allow": (*rules.allow, *ports)}),
        injections=injections,
        extra_ca=host.settings.extra_ca,
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


def registry_groups(network: Network) -> frozenset[str]:
    """The groups of `network` that only an image can explain."""
    return REGISTRY_GROUPS.intersection(groups_in(network))


def load_authorities(context: ssl.SSLContext, extra_ca: Path) -> None:
    """Have it trust the authorities of that file. Raises `UsageError`."""
    try:
        context.load_verify_locations(extra_ca)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"Setting extra_ca: {extra_ca} cannot be read: {error.strerror or error}.") from error
