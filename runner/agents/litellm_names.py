"""How litellm, which mini and aider ask through, knows providers: https://docs.litellm.ai/docs/providers."""

from __future__ import annotations

from runner.agents.base import Api

PREFIXES = {"google": "gemini"}
"""Where its name for a provider is not ours."""
VERSIONS = {"google": "/v1beta"}
"""What it leaves to the address."""


def litellm_model(api: Api, model: str) -> str:
    """The model with its provider, as litellm wants it."""
    return f"{PREFIXES.get(api.provider, api.provider)}/{model}"


def litellm_environment(api: Api) -> dict[str, str]:
    """Where the API is, and that nothing else is asked: litellm would fetch its list of prices at every start."""
    prefix = PREFIXES.get(api.provider, api.provider).upper()
    return {
        f"{prefix}_API_BASE": api.url + VERSIONS.get(api.provider, ""),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_MODE": "PRODUCTION",  # else it reads a .env file
        **api.key,
    }
