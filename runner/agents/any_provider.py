"""What the agents that can use any provider have in common: whose API it is, and which of its models."""

from __future__ import annotations

from runner.agents.base import Api, Assignment
from runner.agents.providers import PROVIDERS
from runner.errors import UsageError


def api_of(assignment: Assignment, agent: str) -> Api:
    """The API. Raises `UsageError` where there is none."""
    if assignment.api is None:
        variables = ", ".join(key.variable for provider in PROVIDERS.values() for key in provider.keys[:1])
        raise UsageError(f"The agent `{agent}` has no model to ask.", hint=f"Set one of {variables}.")
    return assignment.api


def model_of(assignment: Assignment, api: Api) -> str:
    """The model as `api` names it. Raises `UsageError` where none was named and the provider has no usual one."""
    if assignment.model:
        first, slash, rest = assignment.model.partition("/")
        return rest if slash and first == api.provider else assignment.model
    provider = PROVIDERS.get(api.provider)
    if provider is None or not provider.model:
        raise UsageError(
            f"No model of {api.provider} is the usual one.", hint=f"Say which: --model {api.provider}/NAME."
        )
    return provider.model
