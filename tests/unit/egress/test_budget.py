"""What a run uses of its models is counted by model, and its limits are held while answers come."""

import threading

import pytest

from runner.egress.budget import MOST_MODELS, Budget, CountedAnswer, UsageCounter
from runner.egress.carriage import UploadMeter
from runner.egress.usage import Asked
from runner.model.usage import Spent
from tests.unit.egress.test_usage import ANTHROPIC, CHAT, CHUNK, CLAUDE, DELTA, LAST, MESSAGES, SSE, START, TEXT, sse


def price(spent: Spent) -> float | None:
    return None if spent.model == "dear" else spent.tokens / 1000


def answer(counter: UsageCounter, asked: Asked = MESSAGES) -> CountedAnswer:
    counted = counter.follow(asked, 200, SSE)
    assert counted is not None
    return counted


def spend(counter: UsageCounter, data: bytes = ANTHROPIC, asked: Asked = MESSAGES) -> None:
    counted = answer(counter, asked)
    counted.feed(data)
    counted.end()


def test_requests_to_one_model_are_one_row_and_each_is_priced_by_itself() -> None:
    counter = UsageCounter(Budget(price=price))
    spend(counter)
    spend(counter)
    spend(counter, sse(CHUNK, LAST), CHAT)
    first, second = counter.rows
    assert first == Spent(
        model=CLAUDE.model,
        input=20,
        cached=4000,
        cache_write=400,
        cache_write_hour=200,
        output=154,
        requests=2,
        cost_usd=2 * CLAUDE.tokens / 1000,
    )
    assert (second.model, second.tokens, second.requests) == ("gpt-5", 1050, 1)


def test_a_row_whose_price_nobody_knows_has_no_cost() -> None:
    counter = UsageCounter(Budget(price=price, cost_usd=1))
    counter.change(None, Spent(model="dear", output=10**6))
    counter.change(None, Spent(model="m", output=500))
    assert [row.cost_usd for row in counter.rows] == [None, 0.5]
    assert counter.exceeded == ""


def test_an_answer_is_counted_while_it_comes_and_once() -> None:
    counter = UsageCounter()
    counted = answer(counter)
    assert not counter.rows
    counted.feed(sse(START))
    assert [(row.tokens, row.requests) for row in counter.rows] == [(2311, 1)]
    counted.feed(sse(*[TEXT] * 10))
    assert [(row.output, row.estimated) for row in counter.rows] == [(1001, True)]
    counted.feed(sse(DELTA))
    counted.end()
    counted.end()
    assert list(counter.rows) == [CLAUDE]


def test_the_tokens_of_a_model_that_is_named_late_move_to_its_row() -> None:
    counter = UsageCounter()
    counted = answer(counter, CHAT)
    counted.feed(sse({"choices": CHUNK["choices"]} | {"n": 1}) * 4)
    assert [row.model for row in counter.rows] == ["unknown"]
    counted.feed(sse(LAST))
    counted.end()
    assert [(row.model, row.requests, row.tokens) for row in counter.rows] == [("gpt-5", 1, 1050)]


@pytest.mark.parametrize(
    ("budget", "left", "over"),
    [
        (Budget(tokens=100), 50, 50),
        (Budget(cost_usd=0.1, price=price), 50, 50),
    ],
)
def test_a_budget_is_used_up_when_nothing_of_it_is_left(budget: Budget, left: int, over: int) -> None:
    counter, stopped = UsageCounter(budget), []
    counter.when_exceeded = lambda: stopped.append(True)
    counter.change(None, Spent(model="m", output=left))
    assert (counter.exceeded, stopped) == ("", [])
    counter.change(None, Spent(model="m", output=over))
    assert (counter.exceeded, stopped) == ("tokens" if budget.tokens else "cost_usd", [True])
    counter.change(None, Spent(model="m", output=over))
    assert stopped == [True]


def test_a_budget_ends_an_answer_that_never_does() -> None:
    counter = UsageCounter(Budget(tokens=5000))
    counted = answer(counter)
    counted.feed(sse(START))
    events = 0
    while not counter.exceeded:
        counted.feed(sse(TEXT))
        events += 1
    assert 27 <= events < 30  # 2,311 tokens and 100 with each, counted together when they are 256


def test_a_request_that_nobody_waited_for_counts_for_the_model_that_answered_last() -> None:
    counter = UsageCounter()
    spend(counter)
    counter.abandon(MESSAGES)
    counter.abandon(Asked("GET", "/v1/models"))
    (row,) = counter.rows
    assert (row.model, row.input, row.requests, row.estimated) == (CLAUDE.model, 1010, 2, True)


def test_names_of_models_without_end_are_kept_together() -> None:
    counter = UsageCounter()
    for number in range(1000):
        counter.change(None, Spent(model=f"m{number}", output=1))
    old = counter.change(None, Spent(model="m999", output=1))
    counter.change(old, Spent(model="m999", output=5))
    rows = counter.rows
    assert len(rows) == MOST_MODELS + 1
    assert sum(row.tokens for row in rows) == 1005
    assert rows[-1].model == "unknown"


def test_rows_may_be_asked_for_by_another_thread() -> None:
    counter = UsageCounter()
    seen: list[int] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            seen.append(sum(row.tokens for row in counter.rows))

    thread = threading.Thread(target=ask)
    thread.start()
    old = None
    for number in range(3000):
        old = counter.change(old, Spent(model=f"m{number % 50}", output=7))
    done.set()
    thread.join()
    assert set(seen) <= {0, 7}
    assert sum(row.tokens for row in counter.rows) == 7


def test_a_counter_goes_on_where_an_earlier_one_ended() -> None:
    first = UsageCounter(Budget(price=price, tokens=100))
    for _ in range(2):
        first.change(None, Spent(model="m", output=20))
    counter = UsageCounter(Budget(price=price, tokens=100), first.rows)
    assert counter.rows == first.rows
    counter.change(None, Spent(model="m", output=50))
    before = counter.exceeded
    counter.change(None, Spent(model="n", output=10))
    assert [(row.model, row.output, row.requests) for row in counter.rows] == [("m", 90, 3), ("n", 10, 1)]
    assert (before, counter.exceeded) == ("", "tokens")
    assert UsageCounter(Budget(tokens=100), counter.rows).exceeded == "tokens", "what is used up stays so"


def test_uploads_are_counted_on() -> None:
    meter = UploadMeter(100, 90)
    assert (meter.take(10), meter.used) == (True, 100)
    assert not meter.take(1)
