"""A result document as text for a person: what happened, what to review, what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.escape import escape_text
from runner.model.gates import GATES, danger
from runner.model.quantities import format_duration, format_size
from runner.model.result import DESCRIPTIONS, CommitSummary, GateResult, LimitUse, Outcome, RunResult, Verdict
from runner.report.artifacts import artifact_facts
from runner.report.cells import readable
from runner.report.network import denial_lines
from runner.report.spending import round_lines, spent_lines

COMMITS_SHOWN = 10
REVIEW_SHOWN = 5
TOUCHED_SHOWN = 40
ANSWER_SHOWN = 40
"""Lines of an answer; of characters, the first `ANSWER_READ`."""
ANSWER_READ = 100_000
HANDED_OVER = "The agent ended with 0 and left no commits; what it hands over are artifacts."
ANSWERED = "The agent ended with 0 and gave its answer."
SIZES = frozenset({"memory", "disk", "output", "upload"})
PERIODS = frozenset({"wall_clock", "idle"})


def summary_lines(result: RunResult, *, full: bool = False) -> Iterator[str]:
    """The lines below the headline; `full` adds limits, timings and digests. Everything is escaped."""
    for name, text in _facts(result):
        yield f"  {name:<10}{escape_text(text)}"
    yield from _commits(result)
    yield from review_lines(result.gates, most=None if full else REVIEW_SHOWN, more=f"paddock show {result.id}")
    yield from denial_lines(result.denials, result.id)
    yield from denial_lines(result.would_deny, result.id, observed=True)
    for notice in result.notices:
        yield f"  note      {escape_text(notice)}"
    for leak in result.leaks:
        yield f"  LEFT OVER {escape_text(leak)}"
    if full:
        yield from _details(result)
    for number, command in enumerate(result.next):
        yield f"  {'next' if number == 0 else '':<10}{escape_text(command)}"


def headline(result: RunResult) -> str:
    """The outcome's own sentence, with the reason."""
    if result.outcome is Outcome.COMPLETED and result.answer and not result.branch:
        return ANSWERED  # only a run that was to give an answer is complete without a branch
    if result.outcome is Outcome.NO_CHANGES and result.artifacts:
        return HANDED_OVER
    return DESCRIPTIONS[result.outcome] + (f" ({escape_text(result.reason)})" if result.reason else "")


def answer_lines(answer: str, *, more: str, most: int = ANSWER_SHOWN) -> Iterator[str]:
    """The first lines of an agent's last words, escaped; where there are more, the command that prints them all."""
    lines = readable(answer[:ANSWER_READ]).strip("\n").rstrip().split("\n")
    yield from lines[:most]
    if len(lines) > most or len(answer) > ANSWER_READ:
        yield f"... and more: {more}"


def _facts(result: RunResult) -> Iterator[tuple[str, str]]:
    if result.id:
        yield "run", result.id
    yield "repo", result.repo
    if result.branch:
        yield "branch", f"{result.branch}  ({_size(result.commits)})"
    for branch in result.branches:
        name = branch.ref.removeprefix("refs/heads/")
        if name and name != result.branch:
            yield "also", f"{name}  ({branch.commits} commits on {branch.inside})"
    yield from spent_lines(result.spent, result.cost_usd)
    yield from _further(result)
    yield from artifact_facts(result.artifacts, result.id)
    if result.uncommitted_collected:
        yield "", "the last commit holds what the agent had left uncommitted"
    passed = sum(gate.verdict is Verdict.PASSED for gate in result.gates)
    if result.gates:
        yield "gates", f"{passed} of {len(result.gates)} passed"


def _size(commits: Sequence[CommitSummary]) -> str:
    """`2 commits, 3 file changes, +10 -4`."""
    files = sum(commit.files for commit in commits)
    lines = f"+{sum(commit.insertions for commit in commits)} -{sum(commit.deletions for commit in commits)}"
    return f"{len(commits)} commit{'s' * (len(commits) != 1)}, {files} file change{'s' * (files != 1)}, {lines}"


def _further(result: RunResult) -> Iterator[tuple[str, str]]:
    """The check, the rounds that it took, and what the agent was to find out."""
    if result.check:
        ended = f"exit code {result.check.exit_code}" if result.check.stopped is None else result.check.stopped.value
        yield "check", f"{result.check.command}  ({ended}, {result.check.seconds:.2f} s)"
    yield from round_lines(result.rounds)
    if "answer" in result.paths and not result.branch:
        yield "answer", result.paths["answer"]
    for number, path in enumerate(result.touched[:TOUCHED_SHOWN]):
        yield "" if number else "touches", path
    if len(result.touched) > TOUCHED_SHOWN:
        yield "", f"and {len(result.touched) - TOUCHED_SHOWN} more"


def _commits(result: RunResult) -> Iterator[str]:
    for commit in result.commits[:COMMITS_SHOWN]:
        yield f"    {commit.sha[:10]}  {commit.subject}"
    if len(result.commits) > COMMITS_SHOWN:
        yield f"    and {len(result.commits) - COMMITS_SHOWN} more"


def review_lines(gates: Sequence[GateResult], *, most: int | None, more: str) -> Iterator[str]:
    """What a reviewer has to look at: what blocks first, then the most dangerous, each under its heading.

    Of each gate at most `most` lines, and the command that tells the rest.
    """
    found = sorted((gate for gate in gates if gate.verdict is not Verdict.PASSED), key=_urgency)
    for gate in found:
        heading = f"{GATES[gate.name][1].value}: " if gate.name in GATES else ""
        yield f"  {gate.verdict.value:<10}{heading}{gate.name}"
        for line in gate.detail[:most]:
            yield f"            {line}"
        if most is not None and len(gate.detail) > most:
            yield f"            ... and more: {more}"


def _urgency(gate: GateResult) -> tuple[bool, int]:
    return gate.verdict is not Verdict.BLOCKED, danger(gate.name)


def _details(result: RunResult) -> Iterator[str]:
    for name, text in (("agent", result.agent), ("session", result.session), ("continues", result.continues)):
        if text:
            yield f"  {name:<10}{escape_text(text)}"
    yield f"  base      {result.base}"
    yield f"  head      {result.head or '-'}"
    for name, use in result.limits.items():
        yield f"  {'limit':<10}{name:<12}{_limit(name, use)}"
    for phase, seconds in result.timings.items():
        yield f"  {'time':<10}{phase:<12}{seconds:.3f} s"
    for name, digest in result.digests.model_dump().items():
        yield f"  {'digest':<10}{name:<12}{digest}"
    for name, path in result.paths.items():
        yield f"  {'path':<10}{name:<12}{escape_text(path)}"


def _limit(name: str, use: LimitUse) -> str:
    peak = "not measured" if use.peak is None else f"peak {_quantity(name, use.peak)}"
    return f"{peak} of {_quantity(name, use.granted)}{'  REACHED' if use.hit else ''}"


def _quantity(name: str, value: float) -> str:
    if name in SIZES:
        return f"{value / 2**20:.1f} MiB" if value % 2**20 else format_size(int(value)) if value else "0"
    return format_duration(value) if name in PERIODS else f"{value:.10g}"
