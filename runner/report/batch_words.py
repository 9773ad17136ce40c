"""The words of a batch's report that all of its formats share. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from runner.model.batch_report import AttemptFacts, BatchHead, Evidence, TaskFacts
from runner.report.network import amount
from runner.report.spending import cost_text, count_text

MINUTE = 60
KINDS = {
    "completed": "good",
    "ended": "good",
    "no-changes": "none",
    "cancelled": "halt",
    "stopped": "halt",
    "skipped": "halt",
    "interrupted": "halt",
    "running": "busy",
    "queued": "wait",
}


def kind_of(word: str, *, ok: bool = True) -> str:
    """The colour of an outcome or a state: `good`, `none`, `bad`, `halt`, `busy`, `wait`."""
    kind = KINDS.get(word, "bad")
    return kind if ok or kind not in {"good", "none"} else "bad"


def clock(seconds: float) -> str:
    """`1:02`, or `1:02:03`."""
    minutes, rest = divmod(int(seconds), MINUTE)
    hours, minutes = divmod(minutes, MINUTE)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def period(seconds: float) -> str:
    """`4.2 s`, `1:02`, `1:02:03`; empty for nothing."""
    if not seconds:
        return ""
    return f"{seconds:.1f} s" if seconds < MINUTE else clock(seconds)


def moment(at: str) -> str:
    """`2026-11-21 09:00:12 UTC`, or what it says where that is no time."""
    try:
        return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M:%S} UTC" if at else ""
    except ValueError:
        return at


def short_repo(repo: str) -> str:
    """The end of a repository's name."""
    return repo.rstrip("/").rsplit("/", 1)[-1]


def lines_of(facts: AttemptFacts) -> str:
    """`+10 -4`; empty where nothing was changed."""
    return f"+{facts.insertions} -{facts.deletions}" if facts.commits else ""


def changes_of(facts: AttemptFacts) -> str:
    """`2 commits, 3 file changes, +10 -4`; empty where nothing was changed."""
    counts = f"{facts.commits} commit{'s' * (facts.commits != 1)}, {facts.files} file change{'s' * (facts.files != 1)}"
    return f"{counts}, {lines_of(facts)}" if facts.commits else ""


def cost_of(dollars: float) -> str:
    """Empty for nothing."""
    return cost_text(dollars) if dollars else ""


def totals_of(head: BatchHead) -> Iterator[tuple[str, str]]:
    """Name and value of each; what did not happen is left out."""
    totals = head.totals
    counts = {
        "failed": totals.failed,
        "skipped": totals.skipped,
        "running": totals.running,
        "interrupted": totals.interrupted,
        "not begun": totals.queued,
    }
    tasks = totals.succeeded + sum(counts.values())
    yield "succeeded", f"{totals.succeeded} of {tasks}"
    yield from ((name, str(count)) for name, count in counts.items() if count)
    if totals.runs > tasks - totals.queued - totals.skipped:
        yield "tries", str(totals.runs)
    if totals.commits:
        yield "commits", f"{totals.commits}, +{totals.insertions} -{totals.deletions}"
    if totals.cost_usd:
        yield "cost", cost_text(totals.cost_usd)
    if totals.tokens:
        yield "tokens", count_text(totals.tokens)
    yield "wall time", period(totals.seconds) or "0 s"
    if totals.sandbox_seconds:
        yield "in sandboxes", period(totals.sandbox_seconds)
    if totals.cpu_seconds:
        yield "CPU time", period(totals.cpu_seconds)


def heading_of(head: BatchHead) -> str:
    """Where it stands, in one line."""
    since = f"began {moment(head.created_at)}"
    ended = f", {head.state} {moment(head.ended_at)}" if head.ended_at else f", {head.state}"
    why = f": {head.why}" if head.why else ""
    return f"{since}{ended}{why}; reported {moment(head.made_at)}"


def attempt_name(task: TaskFacts, facts: AttemptFacts) -> str:
    """`attempt 2 of 3, chosen`; empty for the only one."""
    if len(task.attempts) == 1:
        return ""
    return f"attempt {facts.attempt} of {len(task.attempts)}" + (", chosen" if facts.chosen else "")


def word_of(facts: AttemptFacts) -> str:
    """How an attempt ended, or where it stands."""
    return facts.outcome or facts.state


def diff_note(evidence: Evidence) -> str:
    """Says of a patch that was cut how much of it there is, and what prints all of it."""
    if "diff" not in evidence.cut or evidence.result is None:
        return ""
    told, whole = amount(len(evidence.diff.encode())), amount(evidence.diff_bytes)
    return f"The first {told} of {whole}; `paddock diff {evidence.result.id}` prints all of it."


def cut_note(evidence: Evidence) -> str:
    """Says which lists and texts were cut, but for the patch; empty where none was."""
    names: Sequence[str] = [name for name in evidence.cut if name != "diff"]
    if not names or evidence.result is None:
        return ""
    return f"Cut here: {', '.join(names)}; `paddock show {evidence.result.id} --json` tells all of it."
