"""What was used of a model: tokens, counted from the model's own answers."""

from __future__ import annotations

from pydantic import Field

from runner.model.base import Record

UNKNOWN_MODEL = "unknown"


class Spent(Record):
    """One request's tokens, or those of all requests to one model together. No token is in two of the kinds."""

    model: str = UNKNOWN_MODEL
    """As the model's API calls it: printable ASCII, at most 100 characters."""
    input: int = Field(default=0, ge=0)
    """What was sent, but for what a cache had or took."""
    cached: int = Field(default=0, ge=0)
    """Read from a cache."""
    cache_write: int = Field(default=0, ge=0)
    """Put into a cache, for some minutes."""
    cache_write_hour: int = Field(default=0, ge=0)
    """Put into a cache for an hour, which costs more."""
    output: int = Field(default=0, ge=0)
    """What the model wrote, its thoughts included."""
    requests: int = Field(default=1, ge=0)
    estimated: bool = False
    """Whether some of it was told by nobody, and is taken from the size of what was sent and said."""
    cost_usd: float | None = None
    """What it costs, each request by itself; `None` where that is not known, or was not asked for."""

    @property
    def tokens(self) -> int:
        """All kinds together."""
        return self.input + self.cached + self.cache_write + self.cache_write_hour + self.output


class Used(Record):
    """What a run has used of its network."""

    spent: tuple[Spent, ...] = ()
    uploaded: int = 0
    """Bytes."""
