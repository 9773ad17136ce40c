"""The web is searched by a provider, past every policy of ours: an agent has that tool only where all is open."""

from __future__ import annotations

import json
from dataclasses import replace

from runner.agents.base import Assignment
from runner.agents.claude import ClaudeAgent
from runner.agents.codex import CodexAgent
from runner.agents.gemini import GeminiAgent
from runner.model.task import Task

CLOSED = Assignment(task=Task(repo="/r", prompt="p"))
OPEN = replace(CLOSED, search=True)


def test_claude_searches_only_where_all_is_open() -> None:
    assert "WebSearch" in ClaudeAgent().command(CLOSED).argv
    assert "WebSearch" not in ClaudeAgent().command(OPEN).argv


def test_codex_searches_only_where_all_is_open() -> None:
    assert 'web_search = "disabled"' in CodexAgent().command(CLOSED).state["config.toml"]
    assert 'web_search = "live"' in CodexAgent().command(OPEN).state["config.toml"]


def test_gemini_searches_only_where_all_is_open() -> None:
    closed, opened = (
        next(json.loads(text) for name, text in GeminiAgent().command(each).state.items() if name.endswith(".json"))
        for each in (CLOSED, OPEN)
    )
    assert closed["tools"]["exclude"] == ["google_web_search"]
    assert "tools" not in opened
