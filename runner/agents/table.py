"""The table of agents: a new one is a file beside this one and a line here."""

from __future__ import annotations

from runner.agents.base import Agent
from runner.agents.command import CommandAgent
from runner.agents.demo import DemoAgent
from runner.errors import UsageError

AGENTS: dict[str, Agent] = {agent.name: agent for agent in (CommandAgent(), DemoAgent())}


def agent_named(name: str) -> Agent:
    """The adapter of that name. Raises `UsageError` that lists the names."""
    if name not in AGENTS:
        raise UsageError(f"There is no agent {name!r}.", hint=f"Known agents: {', '.join(AGENTS)}.")
    return AGENTS[name]
