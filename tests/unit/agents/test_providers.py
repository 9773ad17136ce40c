"""Whose API an agent of any provider uses."""

from __future__ import annotations

import pytest

from runner.agents.providers import PROVIDERS, providers_for, without_provider


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("anthropic/claude-x", "anthropic"), ("openrouter/anthropic/claude-x", "openrouter"), ("gpt-9", "openai"),
        ("claude-x-1", "anthropic"), ("gemini-9-flash", "google"), ("o3", "openai"), ("grok-9", "xai"),
    ],
)  # fmt: skip
def test_a_models_name_says_whose_it_is(model: str, provider: str) -> None:
    assert [each.name for each in providers_for(model)] == [provider]


@pytest.mark.parametrize("model", ["", "something-else", "meta/llama-9"])
def test_any_other_name_is_left_to_the_keys_that_there_are(model: str) -> None:
    assert [each.name for each in providers_for(model)] == list(PROVIDERS)


def test_a_login_token_is_for_its_makers_own_agent() -> None:
    assert all(len(provider.keys) == 1 for provider in providers_for(""))


def test_a_model_loses_its_provider_and_nothing_else() -> None:
    assert without_provider("openrouter/anthropic/claude-x") == "anthropic/claude-x"
    assert without_provider("meta/llama-9") == "meta/llama-9"
