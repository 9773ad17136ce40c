"""Every price has a source, and only what the list has is priced."""

import tomllib
from datetime import date

import pytest

from runner.model.usage import Spent
from runner.report import prices
from runner.report.prices import cost_of, price_list, price_of, price_row, unpriced

MILLION = 1_000_000


def test_the_list_says_when_it_was_read_and_where_each_provider_publishes_its_prices() -> None:
    found = tomllib.loads(prices._LIST.read_text())
    providers = {name: value for name, value in found.items() if isinstance(value, dict)}
    assert {"anthropic", "openai", "google"} <= set(providers)
    assert price_list().read >= date(2026, 11, 21)
    assert all(source.startswith("https://") for source in price_list().sources)
    assert len(price_list().sources) == len(providers)


def test_no_model_stands_under_two_providers() -> None:
    found = tomllib.loads(prices._LIST.read_text())
    names = [name for value in found.values() if isinstance(value, dict) for name in value["models"]]
    assert len(names) == len(set(names)) == len(price_list().models)


def test_prices_are_of_the_size_that_prices_have() -> None:
    for name, price in price_list().models.items():
        rates = [price, *([price.long] if price.long else [])]
        for rate in rates:
            assert 0.01 <= rate.input <= 100, name
            assert rate.input <= rate.output <= 10 * rate.input, name
            assert rate.cached is None or rate.cached < rate.input, name
            assert rate.cache_write is None or rate.input < rate.cache_write < 2 * rate.input, name
            assert rate.cache_write_hour is None or rate.cache_write_hour == 2 * rate.input, name
        assert (price.above is None) == (price.long is None), name
        assert price.long is None or price.long.input > price.input, name


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("claude-opus-4-5-20251101", "claude-opus-4-5"),
        ("gpt-5-2025-08-07", "gpt-5"),
        ("gpt-5-mini-2025-08-07", "gpt-5-mini"),
        ("gpt-5.2-codex", "gpt-5.2-codex"),
        ("models/gemini-2.5-flash-001", "gemini-2.5-flash"),
        ("gemini-2.5-flash-lite", "gemini-2.5-flash-lite"),
        ("claude-haiku-4-5@20251001", "claude-haiku-4-5"),
        ("grok-4.7-latest", "grok-4.7"),
    ],
)
def test_a_model_is_known_by_its_name_and_with_a_date(model: str, known: str) -> None:
    assert price_of(model) is price_list().models[known]


@pytest.mark.parametrize(
    "model", ["", "unknown", "gpt-5-turbo", "gpt-5.9", "claude-opus-5-7", "claude-opus", "gpt-5-2025-08-07-x", "o3x"]
)
def test_a_model_that_only_begins_like_another_has_no_price(model: str) -> None:
    assert price_of(model) is None


def test_each_kind_of_tokens_has_its_own_price() -> None:
    kinds = {"input": 5, "cached": 0.5, "cache_write": 6.25, "cache_write_hour": 10, "output": 25}
    for kind, dollars in kinds.items():
        assert price_row(Spent(model="claude-opus-4-5", **{kind: MILLION})) == pytest.approx(dollars)
    together = Spent(model="claude-opus-4-5", **dict.fromkeys(kinds, MILLION))
    assert price_row(together) == pytest.approx(sum(kinds.values()))


def test_a_kind_without_a_price_costs_what_input_does() -> None:
    assert price_row(Spent(model="gpt-5-pro", cached=MILLION)) == pytest.approx(15)
    assert price_row(Spent(model="gpt-5", cache_write=MILLION)) == pytest.approx(1.25)
    assert price_row(Spent(model="gpt-6-sol", cache_write=100, cache_write_hour=100_000)) == pytest.approx(0.25025)


def test_every_token_of_a_long_request_has_the_price_of_long_ones() -> None:
    model = "gemini-2.5-pro"
    assert price_row(Spent(model=model, input=100_000, cached=100_000, output=1000)) == pytest.approx(0.1475)
    assert price_row(Spent(model=model, input=100_001, cached=100_000, output=1000)) == pytest.approx(0.2900025 * 1)
    assert price_row(Spent(model=model, input=1000, output=300_000)) == pytest.approx(3.00125)


def test_a_row_of_many_requests_is_not_taken_for_a_long_one() -> None:
    rows = Spent(model="gemini-2.5-pro", input=400_000, requests=4)
    assert price_row(rows) == pytest.approx(0.5)


def test_rows_cost_what_they_carry_or_else_what_the_list_says() -> None:
    carried = Spent(model="whatever", output=5, cost_usd=0.25)
    assert cost_of([]) == 0
    assert cost_of([carried, Spent(model="gpt-5", output=MILLION)]) == pytest.approx(10.25)
    assert unpriced([carried]) == ()


def test_one_model_without_a_price_makes_the_cost_unknown_and_is_named() -> None:
    rows = [Spent(model="gpt-5", output=5), Spent(model="zeta", output=5), Spent(model="beta", output=5)]
    assert cost_of(rows) is None
    assert unpriced(rows) == ("beta", "zeta")
    assert cost_of([Spent(model="zeta")]) == 0
