"""The report of a batch: the versioned document of `--format json`, whose facts every format tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from runner.model.base import Record
from runner.model.result import RunResult

REPORT_VERSION: Final = 1


class UsagePoint(Record):
    """How busy the machine was that Paddock runs on, whatever it was busy with."""

    at: str
    busy: float
    """CPUs at work, on average since the point before."""
    cpus: int
    """CPUs that there are."""
    used: int
    """Bytes of memory that were not available."""
    memory: int
    """Bytes that there are."""


class Try(Record):
    """One try of an attempt: a run, or the rounds of one."""

    attempt: int
    number: int
    """From 1."""
    began_at: str
    ended_at: str = ""
    """Empty while it is under way, and where nobody saw its end."""
    run: str = ""
    outcome: str = ""
    reason: str = ""


class AttemptFacts(Record):
    """One attempt in numbers. What comes from a run is that of its last try; cost and time are those of all tries."""

    attempt: int
    state: str
    """`queued`, `running`, `interrupted`, `done` or `skipped`."""
    outcome: str = ""
    ok: bool = False
    chosen: bool = False
    """Whether it stands for its task."""
    reason: str = ""
    check: str = ""
    """`passed`, `failed`, or empty without one."""
    run: str = ""
    branch: str = ""
    head: str = ""
    commits: int = 0
    files: int = 0
    """Changes of files, added up over the commits."""
    insertions: int = 0
    deletions: int = 0
    blocked: int = 0
    """Gates that blocked."""
    flagged: int = 0
    """Gates that flagged something to be reviewed."""
    denied: int = 0
    """Names that the network did not give."""
    cost_usd: float = 0.0
    tokens: int = 0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    """Bytes; 0 where it was not measured."""
    started_at: str = ""
    ended_at: str = ""
    seconds: float = 0.0
    tries: tuple[Try, ...] = ()


class TaskFacts(Record):
    """One task in numbers."""

    number: int
    name: str
    repo: str
    agent: str
    tags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    state: str
    """An outcome once it is over; else `queued`, `running`, `interrupted` or `skipped`."""
    ok: bool
    cpus: float
    """What its policy grants a sandbox."""
    memory: int
    """The same, in bytes."""
    stands: int = 0
    """Where in `attempts` the one is that stands for it."""
    attempts: tuple[AttemptFacts, ...]

    @property
    def best(self) -> AttemptFacts:
        """The attempt that stands for it."""
        return self.attempts[self.stands]

    @property
    def cost_usd(self) -> float:
        """Of all attempts."""
        return sum(each.cost_usd for each in self.attempts)

    @property
    def seconds(self) -> float:
        """Of all attempts."""
        return sum(each.seconds for each in self.attempts)


class Evidence(Record):
    """What one attempt's last run left. Long texts and lists are cut, and `cut` says which."""

    attempt: int
    result: RunResult | None = None
    missing: str = ""
    """Why there is no result: escaped text."""
    diff: str = ""
    """The beginning of the patch; hostile text."""
    diff_bytes: int = 0
    """Of all of it."""
    cut: tuple[str, ...] = ()


class ReportTask(TaskFacts):
    """One task with all that it left."""

    evidence: tuple[Evidence, ...] = ()
    """One for each of `attempts`."""


class Totals(Record):
    """What a batch comes to; each task is in exactly one of the first six counts."""

    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    running: int = 0
    interrupted: int = 0
    """Under way when the batch's process died."""
    queued: int = 0
    runs: int = 0
    """Tries of all attempts."""
    commits: int = 0
    """Of the attempts that stand for their tasks, as the lines below."""
    insertions: int = 0
    deletions: int = 0
    cost_usd: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    """From the beginning to the end, or to now."""
    sandbox_seconds: float = 0.0
    """Of all tries together."""
    cpu_seconds: float = 0.0


class BatchHead(Record):
    """A batch without its tasks."""

    version: Literal[1] = REPORT_VERSION
    id: str
    state: str
    """`running`, `stopped`, `ended`, or `interrupted` when its process is gone."""
    why: str = ""
    """Why it was stopped."""
    file: str
    created_at: str
    ended_at: str = ""
    made_at: str
    """When this report was made."""
    totals: Totals
    usage: tuple[UsagePoint, ...] = ()


class BatchReport(BatchHead):
    """The whole document."""

    tasks: tuple[ReportTask, ...]


@dataclass(frozen=True, kw_only=True)
class ReportParts:
    """The same in parts, so that a thousand diffs need not be in memory at one time."""

    head: BatchHead
    facts: Sequence[TaskFacts]
    tasks: Iterable[ReportTask]
    """Read anew each time that it is gone through."""
