"""Tokens and money in words."""

from __future__ import annotations

from runner.model.result import Outcome, Round
from runner.model.usage import Spent
from runner.report.spending import MOST_MODELS, cost_text, count_text, round_lines, spent_lines

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
    assert [cost_text(dollars) for dollars in (0, 0.00001, 0.0004, 0.01, 12.345)] == [
        "$0.00", "under $0.0001", "$0.0004", "$0.01", "$12.35"
    ]  # fmt: skip


def each_round(number: int, **used: float | None) -> Round:
    return Round.model_validate(
        {"id": f"run-{number}", "agent": "claude", "outcome": Outcome.COMPLETED, "why": "task", **used}
    )


def test_rounds_are_told_with_what_each_has_used_and_all_of_them() -> None:
    rounds = [each_round(1, tokens=1000, cost_usd=0.5), each_round(2, tokens=500, cost_usd=0.25)]
    assert list(round_lines(rounds)) == [
        ("rounds", "run-1  claude, task: completed, 1.0k tokens, $0.50"),
        ("", "run-2  claude, task: completed, 500 tokens, $0.25"),
        ("", "in all 1.5k tokens, $0.75"),
    ]


def test_a_sum_of_costs_of_which_one_is_not_known_is_not_told() -> None:
    assert list(round_lines([each_round(1, tokens=1, cost_usd=1.0), each_round(2, tokens=2)]))[-1] == (
        "", "in all 3 tokens"
    )  # fmt: skip


def test_rounds_without_a_model_have_no_sum() -> None:
    assert list(round_lines([each_round(1), each_round(2)])) == [
        ("rounds", "run-1  claude, task: completed"), ("", "run-2  claude, task: completed")
    ]  # fmt: skip
