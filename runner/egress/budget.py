"""What a run has used of its models, and what it may use: counted answer by answer, while they come."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Literal

from runner.egress.usage import AnswerReader, Asked, Room, form_of
from runner.model.usage import UNKNOWN_MODEL, Spent

MOST_MODELS = 64
"""Names that are kept apart; further ones count as unknown."""
STEP = 256
"""Tokens of an answer under way that are counted together."""


def no_price(_spent: Spent) -> None:
    """The price of every request, where nobody has told prices."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What a run may use of its models. Tokens whose price nobody knows cost nothing here, and count as tokens."""

    tokens: int | None = None
    """All kinds together."""
    cost_usd: float | None = None
    price: Callable[[Spent], float | None] = no_price
    """What one request costs, in US dollars; called in the gateway's thread."""


@dataclass(slots=True)
class _Row:
    """One model's tokens; `unpriced` and `estimated` are numbers of requests."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_hour: int = 0
    output: int = 0
    requests: int = 0
    estimated: int = 0
    unpriced: int = 0
    cost: float = 0.0

    def add(self, spent: Spent, sign: Literal[1, -1]) -> None:
        self.input += sign * spent.input
        self.cached += sign * spent.cached
        self.cache_write += sign * spent.cache_write
        self.cache_write_hour += sign * spent.cache_write_hour
        self.output += sign * spent.output
        self.requests += sign * spent.requests
        self.estimated += sign * spent.estimated
        self.unpriced += sign * (spent.cost_usd is None)
        self.cost += sign * (spent.cost_usd or 0.0)

    def shown(self, model: str) -> Spent:
        return Spent(
            model=model,
            input=self.input,
            cached=self.cached,
            cache_write=self.cache_write,
            cache_write_hour=self.cache_write_hour,
            output=self.output,
            requests=self.requests,
            estimated=self.estimated > 0,
            cost_usd=None if self.unpriced else self.cost,
        )


class UsageCounter:
    """All that one run has used; `rows` and `exceeded` may be asked from any thread."""

    def __init__(self, budget: Budget | None = None, before: Iterable[Spent] = ()) -> None:
        """`before` is what the run had used when an earlier counter of it ended."""
        self._budget = budget or Budget()
        self._rows: dict[str, _Row] = {}
        self._lock = Lock()
        self._tokens = 0
        self._cost = 0.0
        self._last_model = UNKNOWN_MODEL
        self.room = Room()
        self.exceeded: Literal["", "tokens", "cost_usd"] = ""
        """Which limit is used up; it stays so."""
        self.when_exceeded: Callable[[], None] = lambda: None
        for row in before:
            self._add(row, 1)
        self._hold_limits()

    @property
    def rows(self) -> tuple[Spent, ...]:
        """One for each model, in the order in which they were first used."""
        with self._lock:
            return tuple(row.shown(model) for model, row in self._rows.items() if row.requests)

    def follow(self, asked: Asked, status: int, content_type: bytes) -> CountedAnswer | None:
        """What counts the answer to a request; `None` for one that costs nothing."""
        form = form_of(asked, status, content_type)
        return None if form is None else CountedAnswer(self, AnswerReader(asked, form, self.room))

    def abandon(self, asked: Asked) -> None:
        """Nobody waits for the answer to this request any more; the model may have worked on it all the same."""
        self.change(None, asked.unanswered())

    def change(self, old: Spent | None, new: Spent | None) -> Spent | None:
        """Count `new` instead of `old`, which was returned from here; what was counted now."""
        if new is not None:
            new = self._complete(new)
        with self._lock:
            self._add(old, -1)
            self._add(new, 1)
        self._hold_limits()
        return new

    def _complete(self, spent: Spent) -> Spent:
        """With its cost. An answer that was cut off before it named its model is by the one that answered last."""
        if spent.model == UNKNOWN_MODEL:
            spent = spent.model_copy(update={"model": self._last_model})
        self._last_model = spent.model
        return spent.model_copy(update={"cost_usd": self._budget.price(spent)})

    def _add(self, spent: Spent | None, sign: Literal[1, -1]) -> None:
        if spent is None:
            return
        known = spent.model in self._rows or len(self._rows) < MOST_MODELS
        self._rows.setdefault(spent.model if known else UNKNOWN_MODEL, _Row()).add(spent, sign)
        self._tokens += sign * spent.tokens
        self._cost += sign * (spent.cost_usd or 0.0)

    def _hold_limits(self) -> None:
        if self.exceeded:
            return
        if self._budget.tokens is not None and self._tokens >= self._budget.tokens:
            self.exceeded = "tokens"
        elif self._budget.cost_usd is not None and self._cost >= self._budget.cost_usd:
            self.exceeded = "cost_usd"
        if self.exceeded:
            self.when_exceeded()


class CountedAnswer:
    """One answer, and its part in the counter."""

    def __init__(self, counter: UsageCounter, reader: AnswerReader) -> None:
        self._counter = counter
        self._reader = reader
        self._counted: Spent | None = None
        self._at = 0

    def feed(self, data: bytes) -> None:
        """The next bytes of its body."""
        self._reader.feed(data)
        if abs(self._reader.tokens - self._at) >= STEP:
            self._count(over=False)

    def end(self) -> None:
        """No more comes. May be said twice."""
        self._reader.end()
        self._count(over=True)

    def _count(self, *, over: bool) -> None:
        self._at = self._reader.tokens
        spent = self._reader.spent(over=over)
        if spent is not None or self._counted is not None:
            self._counted = self._counter.change(self._counted, spent)
