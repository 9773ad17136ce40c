"""Which model's API a run reaches and which key the gateway adds for it: decided before anything starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from runner.agents.base import Agent, Api
from runner.agents.providers import Key, Provider
from runner.errors import PolicyError, RefusedError, UsageError
from runner.model.agent_settings import AgentSettings
from runner.model.destinations import parse_exact_name
from runner.model.policy import Injection, Policy
from runner.model.task import Task
from runner.run.host import Host

UNSET = AgentSettings()


@dataclass(frozen=True, kw_only=True)
class ModelApi:
    """One API, as the sandbox reaches it and as the host does."""

    api: Api
    host: str
    header: str
    secret: str
    """The secret's name on the host."""
    model: str


def find_api(agent: Agent, task: Task, host: Host) -> ModelApi | None:
    """The API for a task: of the providers and keys that would do, the first whose key this host has.

    `None` for an agent without a model. A key that is missing is told when it is needed. Raises `UsageError`.
    """
    own = host.settings.agents.get(agent.name, UNSET)
    model = task.model or own.model
    offers = list(_offers(agent.providers(model), own))
    if not offers:
        if task.model:
            raise UsageError(f"The agent `{agent.name}` has no model, so --model says nothing to it.")
        return None
    had = (offer for offer in offers if offer[2] in task.pass_secrets or _is_known(offer[2], host))
    provider, key, secret = next(had, offers[0])
    url = (own.url or provider.url).rstrip("/")
    name, injected = host_of(url, agent.name), secret not in task.pass_secrets
    api = Api(
        provider=provider.name,
        url=f"http://{name}{urlsplit(url).path}" if injected else url,
        variable=key.variable,
        injected=injected,
    )
    return ModelApi(api=api, host=name, header=own.header or key.header, secret=secret, model=model)


def with_api(policy: Policy, found: ModelApi) -> Policy:
    """The policy with a way to the model, whatever its mode: an agent without its model could do nothing.

    What the policy denies stays denied, which is refused when the network is decided. Raises `PolicyError`.
    """
    network = policy.network
    if found.host in network.deny:
        raise PolicyError(
            f"network.deny has {found.host}, the API of the agent's model, and deny beats everything.",
            hint="Take it out of network.deny, or choose another agent or model.",
        )
    changes: dict[str, object] = {}
    if not found.api.injected:
        changes["allow"] = tuple(dict.fromkeys((*network.allow, found.host)))
    elif not any((each.host, each.header) == (found.host, found.header) for each in network.inject):
        injection = Injection(host=found.host, header=found.header, secret=found.secret)
        changes["inject"] = (*network.inject, injection)
    if network.mode == "none":
        changes["mode"] = "allow"
    return policy.model_copy(update={"network": network.model_copy(update=changes)})


def api_notice(agent: Agent, found: ModelApi) -> str:
    """What a run says at its start of the way to its model."""
    if found.api.injected:
        return f"{agent.name} reaches {found.host}; the gateway adds {found.secret}, which the sandbox does not hold."
    return f"{found.secret} is handed to the sandbox, which may send it to whatever the policy lets it reach."


def host_of(url: str, agent: str) -> str:
    """The host of an API's address. Raises `UsageError` for an address that a gateway cannot serve."""
    parts = urlsplit(url)
    try:
        name, port = parse_exact_name(parts.hostname or ""), parts.port
    except ValueError as error:
        raise UsageError(f"Setting agents.{agent}.url: {error}.") from error
    if parts.scheme != "https" or port not in {None, 443} or parts.query or parts.username:
        raise UsageError(
            f"Setting agents.{agent}.url: not an address that a gateway can serve.",
            hint='It looks like "https://models.example.com/v1": https, a name, no port, no user, no query.',
        )
    return name


def require_key(agent: Agent, found: ModelApi | None, task: Task, host: Host) -> None:
    """Raises `RefusedError` when this host has no key for the model, and says which would do."""
    if found is None or _is_known(found.secret, host):
        return
    own = host.settings.agents.get(agent.name, UNSET)
    names = list(dict.fromkeys(secret for _, _, secret in _offers(agent.providers(task.model or own.model), own)))
    raise RefusedError(
        f"The agent `{agent.name}` needs a key for its model, and this host has none: {' or '.join(names)}.",
        hint=f"Set the variable, or say in the config file where it is kept: [secrets] {names[0]} = "
        '{ file = "~/path" } or { command = ["pass", "show", "name"] }.',
    )


def _offers(providers: tuple[Provider, ...], own: AgentSettings) -> Iterator[tuple[Provider, Key, str]]:
    """Each provider with each of its keys, and the name of the secret that holds it."""
    for provider in providers:
        for key in provider.keys:
            yield provider, key, own.secret or key.variable


def _is_known(secret: str, host: Host) -> bool:
    sources: Mapping[str, object] = host.settings.secrets
    return secret in sources or bool(host.variable(secret))
