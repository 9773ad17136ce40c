"""Tokens and money in words."""

from __future__ import annotations

from runner.model.usage import Spent
from runner.report.spending import MOST_MODELS, cost_text, count_text, spent_lines

FULL = Spent(model="some-model", input=2300, cached=8100, cache_write=30, cache_write_hour=10, output=1200, requests=34)


def test_nothing_used_has_no_lines() -> None:
    assert list(spent_lines((), 0.0)) == []


def test_tokens_are_told_by_kind_and_model_and_then_the_cost() -> None:
    assert list(spent_lines([FULL], 0.42)) == [
        ("tokens", "some-model: 2.3k in, 8.1k from the cache, 40 into the cache, 1.2k out, 34 requests"),
        ("cost", "$0.42"),
    ]


def test_an_unknown_price_is_no_price_of_nothing() -> None:
    lines = dict(spent_lines([Spent(output=1, requests=1, estimated=True)], None))
    assert lines["tokens"] == "unknown: 1 out, 1 request (estimated)"
    assert lines["cost"].startswith("unknown")


def test_the_most_used_model_comes_first_and_many_are_counted() -> None:
    models = [FULL.model_copy(update={"model": f"m{number}", "output": number}) for number in range(MOST_MODELS + 2)]
    lines = list(spent_lines(models, 1))
    assert lines[0][1].startswith(f"m{MOST_MODELS + 1}: ")
    assert lines[-2] == ("", "and 2 more models")
    assert len(lines) == MOST_MODELS + 2


def test_a_models_name_is_hostile_text() -> None:
    assert next(spent_lines([Spent(model="a\x1b[2J", input=1)], 0))[1] == "a\\x1b[2J: 1 in, 1 request"


def test_counts_and_sums_of_money_are_short() -> None:
    assert [count_text(count) for count in (0, 999, 1000, 999_949, 999_950, 4_560_000)] == [
        "0", "999", "1.0k", "999.9k", "1.00M", "4.56M"
    ]  # fmt: skip
    assert [cost_text(dollars) for dollars in (0, 0.0004, 0.01, 12.345)] == ["$0.00", "$0.0004", "$0.01", "$12.35"]
