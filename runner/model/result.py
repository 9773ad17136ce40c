"""How a run ended and what came out: the versioned document that `--json` prints and `result.json` holds."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from runner.model.artifact import Artifact
from runner.model.base import Record
from runner.model.network import NetworkRow
from runner.model.policy_file import PolicyFile
from runner.model.usage import Spent

RESULT_VERSION: Final = 1


class Outcome(StrEnum):
    """The one word for how a run ended (DESIGN: outcomes and exit codes)."""

    COMPLETED = "completed"
    NO_CHANGES = "no-changes"
    AGENT_FAILED = "agent-failed"
    TIMED_OUT = "timed-out"
    IDLE = "idle"
    OUT_OF_MEMORY = "out-of-memory"
    DISK_EXCEEDED = "disk-exceeded"
    OUTPUT_EXCEEDED = "output-exceeded"
    BUDGET_EXCEEDED = "budget-exceeded"
    CHECK_FAILED = "check-failed"
    REJECTED = "rejected"
    REFUSED = "refused"
    ENGINE_FAILED = "engine-failed"
    CANCELLED = "cancelled"


EXIT_CODES: dict[Outcome, int] = {
    Outcome.COMPLETED: 0,
    Outcome.NO_CHANGES: 0,
    Outcome.AGENT_FAILED: 10,
    Outcome.TIMED_OUT: 11,
    Outcome.IDLE: 12,
    Outcome.OUT_OF_MEMORY: 13,
    Outcome.DISK_EXCEEDED: 14,
    Outcome.OUTPUT_EXCEEDED: 15,
    Outcome.BUDGET_EXCEEDED: 16,
    Outcome.CHECK_FAILED: 17,
    Outcome.REJECTED: 20,
    Outcome.REFUSED: 30,
    Outcome.ENGINE_FAILED: 40,
    Outcome.CANCELLED: 130,
}

EXIT_EXPECTED_CHANGES = 3
"""`no-changes` under `--expect-changes`."""


EXIT_TASKS_FAILED = 18
"""`paddock batch run`, and what is done after it: some of the tasks did not succeed."""


EXIT_UNVERIFIED = 21
"""`paddock verify`: something is not as the record says."""


DESCRIPTIONS: dict[Outcome, str] = {
    Outcome.COMPLETED: "The agent ended with 0 and its commits passed the gates.",
    Outcome.NO_CHANGES: "The agent ended with 0 and left nothing to collect.",
    Outcome.AGENT_FAILED: "The agent ended with an exit code of its own.",
    Outcome.TIMED_OUT: "The agent was stopped: it reached the wall-clock limit.",
    Outcome.IDLE: "The agent was stopped: it was silent for longer than the idle limit.",
    Outcome.OUT_OF_MEMORY: "The kernel stopped the agent: it reached the memory limit.",
    Outcome.DISK_EXCEEDED: "The agent was stopped: it reached the limit on disk or on the number of files.",
    Outcome.OUTPUT_EXCEEDED: "The agent was stopped: it printed more than the output limit.",
    Outcome.BUDGET_EXCEEDED: "The agent was stopped: it reached the limit on tokens or on cost.",
    Outcome.CHECK_FAILED: "The check failed on the collected commits.",
    Outcome.REJECTED: "What came out was kept apart by a gate, or could not all be collected; no branch was made.",
    Outcome.REFUSED: "The run was refused; the agent was not started.",
    Outcome.ENGINE_FAILED: "Docker or the host failed; it is safe to try again.",
    Outcome.CANCELLED: "The run was cancelled.",
}
"""One plain sentence each, for a person who comes back to a finished run."""


class Verdict(StrEnum):
    """What a gate says."""

    PASSED = "passed"
    FLAGGED = "flagged"
    BLOCKED = "blocked"


class GateResult(Record):
    """One gate's word on what came out; `detail` lines are escaped text."""

    name: str
    verdict: Verdict
    detail: tuple[str, ...] = ()


class CommitSummary(Record):
    """One collected commit, oldest first. Texts come from the agent: control characters are escaped."""

    sha: str
    subject: str
    author: str
    files: int
    insertions: int
    deletions: int


class BranchResult(Record):
    """One branch that the agent moved: its name inside, and where it stands in the user's repository."""

    inside: str
    ref: str
    """`refs/heads/paddock/...`; empty when the gates kept it out."""
    head: str
    commits: int


class LimitUse(Record):
    """One limit: what was granted, the highest use that was seen, and whether it was reached.

    Units: `cpus` in CPUs; `memory`, `disk`, `output`, `upload` in bytes; `wall_clock`
    and `idle` in seconds; `pids` and `files` in counts. `peak` is null where it was not measured.
    """

    granted: float
    peak: float | None = None
    hit: bool = False


class Digests(Record):
    """`sha256:...` of the effective policy, of the sandbox's spec, and of the image."""

    policy: str
    spec: str = ""
    image: str = ""


class CheckResult(Record):
    """The user's own check on the collected commits, in a sandbox of its own."""

    command: str
    exit_code: int | None
    """`None` when the engine lost it."""
    stopped: Outcome | None = None
    """The limit that it reached, if it did."""
    seconds: float
    output: str = ""
    """The end of what it printed; hostile text."""

    @property
    def failed(self) -> bool:
        """Whether it did not succeed, for whatever reason."""
        return self.exit_code != 0 or self.stopped is not None


class Round(Record):
    """One round of work on one task: a run of its own."""

    id: str
    agent: str
    outcome: Outcome
    why: str
    """What it was asked for: `task`, `check` (mend what the check found), `review`, `findings` (mend those)."""
    tokens: int = 0
    cost_usd: float | None = None
    """`None` where nothing is known of it."""


class RunResult(Record):
    """The result document, version 1."""

    version: Literal[1] = RESULT_VERSION
    id: str
    outcome: Outcome
    exit_code: int
    reason: str = ""
    """Why, where the outcome alone does not tell: escaped text."""
    agent_exit_code: int | None = None
    repo: str
    branch: str = ""
    """The branch to review, as in `git log BRANCH`; empty when there is none."""
    base: str = ""
    head: str = ""
    branches: tuple[BranchResult, ...] = ()
    commits: tuple[CommitSummary, ...] = ()
    uncommitted_collected: bool = False
    gates: tuple[GateResult, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    """Files that are handed over beside the commits; `paths.artifacts` is the folder that they are in."""
    denials: tuple[NetworkRow, ...] = ()
    """What the sandbox asked of the network and did not get, most wanted first; `paddock network` has all."""
    would_deny: tuple[NetworkRow, ...] = ()
    """What an observed run reached and the given policy would have denied."""
    limits: dict[str, LimitUse] = {}
    agent: str = ""
    answer: str = ""
    """The agent's last words; hostile text."""
    session: str = ""
    """The agent's own name for its conversation, by which it can go on."""
    continues: str = ""
    """The run that this one went on with."""
    touched: tuple[str, ...] = ()
    """Where the task was to find out: the files that the work would touch, as the agent says."""
    check: CheckResult | None = None
    rounds: tuple[Round, ...] = ()
    """Where the work went round: every run that it took, this one last."""
    spent: tuple[Spent, ...] = ()
    """Tokens, by model, as the gateway counted them; marked as estimated where somebody else did."""
    cost_usd: float | None = None
    """What they cost by the list of prices; null when there were none, or a price is not known."""
    usage: dict[str, float] = {}
    """What was used and has no limit of its own: `cpu_seconds`, `bytes_written`."""
    timings: dict[str, float] = {}
    """Seconds for each phase."""
    digests: Digests
    policy_files: tuple[PolicyFile, ...] = ()
    """Every file that the effective policy came from, and those that tightened it."""
    paths: dict[str, str] = {}
    notices: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()
    """What could not be removed."""
    next: tuple[str, ...] = ()
    """Commands to type next."""
    started_at: str
    ended_at: str
