"""What tokens cost, by the list in `prices.toml`: for plain use, and never more than an estimate of a bill."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from runner.model.base import Record
from runner.model.usage import Spent

_LIST = Path(__file__).with_name("prices.toml")
_MILLION = 1_000_000
_DATED = re.compile(r"[-@](?:[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}|[0-9]{3}|latest)")
"""What may follow a model's name and change no price: the day of a version. `gpt-5` is no `gpt-5-pro`."""


class Rate(Record):
    """US dollars per million tokens of each kind."""

    input: float = Field(gt=0)
    output: float = Field(gt=0)
    cached: float | None = Field(default=None, gt=0)
    cache_write: float | None = Field(default=None, gt=0)
    cache_write_hour: float | None = Field(default=None, gt=0)

    def cost(self, spent: Spent) -> float:
        """A kind without a price of its own costs what its neighbour does."""
        write = self.input if self.cache_write is None else self.cache_write
        hour = write if self.cache_write_hour is None else self.cache_write_hour
        cached = self.input if self.cached is None else self.cached
        parts = (
            spent.input * self.input,
            spent.cached * cached,
            spent.cache_write * write,
            spent.cache_write_hour * hour,
            spent.output * self.output,
        )
        return sum(parts) / _MILLION


class Price(Rate):
    """What one model takes."""

    above: int | None = Field(default=None, gt=0)
    """The input, caches included, beyond which a request has the `long` price for all of its tokens."""
    long: Rate | None = None

    def rate(self, sent: float) -> Rate:
        """What a request takes whose input, caches included, is that long."""
        return self.long if self.long and self.above is not None and sent > self.above else self


class PriceList(Record):
    """The file, read."""

    read: date
    """The day on which the prices stood in their sources."""
    sources: tuple[str, ...]
    models: dict[str, Price]


@cache
def price_list() -> PriceList:
    """The prices that ship with Paddock."""
    found: dict[str, Any] = tomllib.loads(_LIST.read_text())
    providers = [value for value in found.values() if isinstance(value, dict)]
    models = {name: Price(**price) for provider in providers for name, price in provider["models"].items()}
    return PriceList(read=found["read"], sources=tuple(one["source"] for one in providers), models=models)


def price_of(model: str) -> Price | None:
    """The price of a model that the list has, under this name or under this name without its date."""
    models = price_list().models
    name = model.removeprefix("models/")  # Google's way of saying it
    if name in models:
        return models[name]
    dated = (known for known in models if name.startswith(known) and _DATED.fullmatch(name[len(known) :]))
    longest = max(dated, key=len, default=None)
    return None if longest is None else models[longest]


def price_row(row: Spent) -> float | None:
    """What one request costs, in US dollars, or a row of requests to one model, as if they were of the same size.

    `None` when the list does not have the model.
    """
    if row.tokens == 0:
        return 0.0
    price = price_of(row.model)
    return None if price is None else price.rate((row.tokens - row.output) / max(1, row.requests)).cost(row)


def cost_of(rows: Iterable[Spent]) -> float | None:
    """What rows cost together, in US dollars; `None` when the cost of one of them is not known (see `unpriced`).

    A row that carries a cost costs that.
    """
    costs = [_cost(row) for row in rows]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def unpriced(rows: Iterable[Spent]) -> tuple[str, ...]:
    """The models that were used and whose price is not known, sorted."""
    return tuple(sorted({row.model for row in rows if _cost(row) is None}))


def _cost(row: Spent) -> float | None:
    return price_row(row) if row.cost_usd is None else row.cost_usd
