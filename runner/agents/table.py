"""The table of agents: a new one is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from runner.agents.base import Agent
from runner.agents.command import CommandAgent
from runner.agents.demo import DemoAgent
from runner.errors import UsageError
from runner.model.agent_settings import AgentSettings

NONE: Mapping[str, AgentSettings] = MappingProxyType({})
WITH_MODELS: Mapping[str, str] = {
    "claude": "ClaudeAgent",
    "codex": "CodexAgent",
    "gemini": "GeminiAgent",
    "opencode": "OpencodeAgent",
    "aider": "AiderAgent",
    "mini": "MiniAgent",
}
"""The modules beside this one, and their classes, in the order in which they are shown. A run loads its own alone."""


def agents(own: Mapping[str, AgentSettings] = NONE) -> dict[str, Agent]:
    """Every agent by its name, in the order in which they are shown; `own` is what the user's settings say of agents.

    Raises `UsageError` for settings of an agent that is neither known nor the user's own, or is both.
    """
    known = {agent.name: agent for agent in (*_simple(), *map(_with_model, WITH_MODELS))}
    mine: dict[str, Agent] = {}
    for name, settings in own.items():
        if settings.argv:
            mine[name] = _own(name, settings, known)
        elif name not in known:
            raise UsageError(
                f"Setting agents.{name}: there is no such agent.",
                hint=f"Known agents: {', '.join(known)}. One of your own says its program in argv.",
            )
    return known | mine


def agent_named(name: str, own: Mapping[str, AgentSettings] = NONE) -> Agent:
    """The adapter of that name. Raises `UsageError` that lists the names."""
    simple = {agent.name: agent for agent in _simple()}
    if name in simple and name not in own:
        return simple[name]
    if name in WITH_MODELS and not own:
        return _with_model(name)
    known = agents(own)
    if name not in known:
        raise UsageError(f"There is no agent {name!r}.", hint=f"Known agents: {', '.join(known)}.")
    return known[name]


def _simple() -> tuple[Agent, ...]:
    return (CommandAgent(), DemoAgent())


def _with_model(name: str) -> Agent:
    """Its module brings the reader of an event stream along."""
    agent: Agent = getattr(import_module(f"runner.agents.{name}"), WITH_MODELS[name])()
    return agent


def _own(name: str, settings: AgentSettings, known: Mapping[str, Agent]) -> Agent:
    from runner.agents.own import OwnAgent

    if name in known:
        raise UsageError(
            f"Setting agents.{name}.argv: Paddock has an agent of that name.",
            hint="Give yours another name, or leave argv out to settle model, url, secret and header of Paddock's.",
        )
    return OwnAgent(name, settings)
