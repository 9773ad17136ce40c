"""Who makes models: where each API is, and which header carries its key."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Key:
    """One kind of credential: the variable that agents and users know it by, and the header that carries it."""

    variable: str
    header: str


@dataclass(frozen=True, kw_only=True)
class Provider:
    """One API. `keys` are alternatives: the first that the host has is used."""

    name: str
    url: str
    keys: tuple[Key, ...]
    model: str = ""
    """What agents without a model of their own use when the user names none; empty: the user has to.

    Names of September 2026, each its maker's middle price for everyday coding, as in models.dev of that month.
    """


def _bearer(name: str, url: str, variable: str, model: str = "") -> Provider:
    return Provider(name=name, url=url, keys=(Key(variable=variable, header="authorization"),), model=model)


ANTHROPIC = Provider(
    name="anthropic",
    url="https://api.anthropic.com",
    keys=(
        Key(variable="ANTHROPIC_API_KEY", header="x-api-key"),
        Key(variable="CLAUDE_CODE_OAUTH_TOKEN", header="authorization"),
    ),
    model="claude-sonnet-5",
)
OPENAI = _bearer("openai", "https://api.openai.com/v1", "OPENAI_API_KEY", "gpt-6-sol")
GOOGLE = Provider(
    name="google",
    url="https://generativelanguage.googleapis.com",
    keys=(Key(variable="GEMINI_API_KEY", header="x-goog-api-key"),),
    model="gemini-3.8-flash",
)
OPENROUTER = _bearer("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY")
MISTRAL = _bearer("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", "mistral-medium-latest")
DEEPSEEK = _bearer("deepseek", "https://api.deepseek.com", "DEEPSEEK_API_KEY", "deepseek-v4-pro")
XAI = _bearer("xai", "https://api.x.ai/v1", "XAI_API_KEY", "grok-4.7")
GROQ = _bearer("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY")

PROVIDERS: dict[str, Provider] = {
    each.name: each for each in (ANTHROPIC, OPENAI, GOOGLE, OPENROUTER, MISTRAL, DEEPSEEK, XAI, GROQ)
}


NAMED = {
    "claude": ANTHROPIC,
    "gpt": OPENAI,
    "o1": OPENAI,
    "o3": OPENAI,
    "o4": OPENAI,
    "gemini": GOOGLE,
    "mistral": MISTRAL,
    "codestral": MISTRAL,
    "devstral": MISTRAL,
    "deepseek": DEEPSEEK,
    "grok": XAI,
}
"""Whose models are called so, up to the first hyphen."""


def providers_for(model: str) -> tuple[Provider, ...]:
    """Of whom an agent that can use any of them gets `model`: `anthropic/...` says it, or else the model's own name.

    Without either it is whoever the host has a key of.
    """
    first, slash, _ = model.partition("/")
    named = PROVIDERS.get(first) if slash else NAMED.get(first.partition("-")[0])
    return tuple(map(_by_key, (named,) if named else PROVIDERS.values()))


def _by_key(provider: Provider) -> Provider:
    """Without the keys that only one maker's own agent may use: Claude's token is refused to every other program."""
    return replace(provider, keys=provider.keys[:1])


def without_provider(model: str) -> str:
    """The model's name as its own API knows it: `anthropic/claude-x` is `claude-x` there."""
    first, slash, rest = model.partition("/")
    return rest if slash and first in PROVIDERS else model
