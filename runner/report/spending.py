"""Tokens and money as lines of text: how much of which model, and what it cost. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from runner.escape import escape_text

if TYPE_CHECKING:  # only runs with a model have any
    from runner.model.result import Round
    from runner.model.usage import Spent

MOST_MODELS = 5


def spent_lines(spent: Iterable[Spent], cost_usd: float | None) -> Iterator[tuple[str, str]]:
    """A name and a text for each line, the most used model first; none where no model was used. Escaped."""
    used = sorted(spent, key=lambda each: each.tokens, reverse=True)
    if not used:
        return
    for number, each in enumerate(used[:MOST_MODELS]):
        yield "" if number else "tokens", model_text(each)
    if len(used) > MOST_MODELS:
        yield "", f"and {len(used) - MOST_MODELS} more models"
    yield "cost", "unknown: there is no price for a model that was used" if cost_usd is None else cost_text(cost_usd)


def round_lines(rounds: Sequence[Round]) -> Iterator[tuple[str, str]]:
    """A line for each run of one piece of work, and one for all of them together."""
    for number, each in enumerate(rounds):
        spent = f", {_used(each.tokens, each.cost_usd)}" if each.tokens else ""
        yield "" if number else "rounds", f"{each.id}  {each.agent}, {each.why}: {each.outcome.value}{spent}"
    using = [each for each in rounds if each.tokens]
    if len(using) > 1:
        costs = [each.cost_usd for each in using if each.cost_usd is not None]
        cost = sum(costs) if len(costs) == len(using) else None
        yield "", f"in all {_used(sum(each.tokens for each in using), cost)}"


def _used(tokens: int, cost_usd: float | None) -> str:
    return f"{count_text(tokens)} tokens" + ("" if cost_usd is None else f", {cost_text(cost_usd)}")


def model_text(spent: Spent) -> str:
    """`some-model: 2.3k in, 8.1k from the cache, 1.2k out, 34 requests`."""
    kinds = (
        (spent.input, "in"),
        (spent.cached, "from the cache"),
        (spent.cache_write + spent.cache_write_hour, "into the cache"),
        (spent.output, "out"),
    )
    told = [f"{count_text(count)} {name}" for count, name in kinds if count] or ["nothing"]
    if spent.requests:
        told.append(f"{spent.requests} request{'s' * (spent.requests != 1)}")
    return f"{escape_text(spent.model)}: {', '.join(told)}{' (estimated)' if spent.estimated else ''}"


def count_text(count: int) -> str:
    """`950`, `12.3k`, `4.56M`."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 999_950 else f"{count / 1e6:.2f}M"


def cost_text(dollars: float) -> str:
    """`$0.42`; less than a cent is told in more places."""
    if 0 < dollars < 0.0001:
        return "under $0.0001"
    return f"${dollars:.2f}" if dollars >= 0.01 or not dollars else f"${dollars:.4f}"
