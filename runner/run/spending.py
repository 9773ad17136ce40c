"""What a run used of its models, beside what its policy grants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.model.policy import Limits
from runner.model.result import LimitUse

if TYPE_CHECKING:  # with the list of prices, which runs without a model need not wait for
    from runner.model.activity import Reported
    from runner.model.usage import Spent


@dataclass(frozen=True)
class Spending:
    """One row for each model, as the gateway counted it, or for want of that the agent itself."""

    rows: tuple[Spent, ...]
    limits: Limits

    @property
    def tokens(self) -> int:
        """All kinds together."""
        return sum(row.tokens for row in self.rows)

    @property
    def cost_usd(self) -> float | None:
        """`None` where the price of a model that was used is not known."""
        if not self.rows:
            return 0.0
        from runner.report.prices import cost_of

        return cost_of(self.rows)

    @property
    def breach(self) -> str:
        """Which limit ends the run, in a few words; empty when none does."""
        limits = self.limits
        if limits.tokens is not None and self.tokens >= limits.tokens:
            return f"limits.tokens = {limits.tokens}"
        if limits.cost_usd is None:
            return ""
        cost = self.cost_usd
        if cost is None:
            from runner.report.prices import unpriced

            return f"limits.cost_usd cannot be held: no price is known for {', '.join(unpriced(self.rows))}"
        return f"limits.cost_usd = {limits.cost_usd:g}" if cost >= limits.cost_usd else ""

    def limit_uses(self) -> dict[str, LimitUse]:
        """Both limits, as far as they are set."""
        limits, hit = self.limits, self.breach
        uses = {}
        if limits.tokens is not None:
            uses["tokens"] = LimitUse(granted=limits.tokens, peak=self.tokens, hit=hit.startswith("limits.tokens"))
        if limits.cost_usd is not None:
            cost = self.cost_usd
            peak = None if cost is None else round(cost, 6)
            uses["cost_usd"] = LimitUse(granted=limits.cost_usd, peak=peak, hit=hit.startswith("limits.cost_usd"))
        return uses


def as_told(reported: Iterable[Reported]) -> tuple[Spent, ...]:
    """The agent's own count, for a run whose model the gateway does not see."""
    from runner.model.usage import Spent

    return tuple(
        Spent(
            model=row.model or "unknown",
            input=row.input,
            cached=row.cached,
            cache_write=row.cache_write,
            output=row.output,
            estimated=True,
        )
        for row in reported
        if row.input or row.cached or row.cache_write or row.output
    )
