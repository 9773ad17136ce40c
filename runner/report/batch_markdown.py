"""The report of a batch as Markdown: whatever an agent chose is code or a quotation that it cannot leave. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runner.model.batch_report import AttemptFacts, Evidence, ReportParts, ReportTask, TaskFacts
from runner.report.batch_words import (
    attempt_name,
    changes_of,
    cost_of,
    cut_note,
    diff_note,
    heading_of,
    lines_of,
    period,
    short_repo,
    totals_of,
    word_of,
)
from runner.report.cells import readable
from runner.report.ci_summary import sections_of
from runner.report.transcript import code

COLUMNS = ("", "task", "repository", "agent", "outcome", "check", "branch", "commits", "diff", "cost", "time")
LEAST_FENCE = 3
_TICKS = re.compile("`+")


def batch_markdown(parts: ReportParts) -> Iterator[str]:
    """The document, piece by piece."""
    head = parts.head
    yield f"# Batch {code(head.id)}\n\n{code(heading_of(head))}\n\n- file: {code(head.file)}\n"
    yield "".join(f"- {name}: {value}\n" for name, value in totals_of(head))
    yield f"\n## Tasks\n\n{_line(COLUMNS)}{_line(['---'] * len(COLUMNS))}"
    yield from (_line(_cells(task)) for task in parts.facts)
    for task in parts.tasks:
        yield f"\n## {task.number}. {code(task.name)}: {code(task.state)}\n"
        yield from _task(task)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _cells(task: TaskFacts) -> Iterator[str]:
    best = task.best
    chosen = f", {attempt_name(task, best)}" if len(task.attempts) > 1 else ""
    yield str(task.number)
    yield _cell(task.name) + chosen
    yield _cell(short_repo(task.repo))
    yield _cell(task.agent)
    yield _cell(task.state)
    yield best.check
    yield _cell(best.branch)
    yield str(best.commits or "")
    yield lines_of(best)
    yield cost_of(task.cost_usd)
    yield period(task.seconds)


def _cell(text: str) -> str:
    """Code in one cell. A bar would end it, in a span of code, too, and how it is escaped is no agreed thing."""
    return code(text.replace("|", "\\x7c")) if text else ""


def _task(task: ReportTask) -> Iterator[str]:
    for number in sorted(range(len(task.attempts)), key=lambda each: each != task.stands):
        facts, evidence = task.attempts[number], task.evidence[number]
        if name := attempt_name(task, facts):
            yield f"\n### {name.capitalize()}: {code(word_of(facts))}\n"
        yield "\n" + "".join(f"- {name}: {code(value)}\n" for name, value in _facts(task, facts) if value)
        yield from _evidence(evidence)


def _facts(task: TaskFacts, facts: AttemptFacts) -> Iterator[tuple[str, str]]:
    yield "reason", facts.reason
    yield "run", facts.run
    yield "repository", task.repo
    yield "branch", facts.branch
    yield "changes", changes_of(facts)
    yield "time", period(facts.seconds)
    yield "cost", cost_of(facts.cost_usd)
    if len(facts.tries) > 1:
        for each in facts.tries:
            yield f"try {each.number}", " ".join(filter(None, (each.outcome, each.run, each.reason)))


def _evidence(evidence: Evidence) -> Iterator[str]:
    if evidence.missing:
        yield f"- what it left cannot be told: {code(evidence.missing)}\n"
    if evidence.result is None:
        return
    yield from (f"\n{section}" for section in sections_of(evidence.result, fenced))
    if evidence.diff:
        yield f"\n### Diff\n\n{fenced(evidence.diff, 'diff')}"
    yield from (f"\n{note}\n" for note in (diff_note(evidence), cut_note(evidence)) if note)


def fenced(text: str, language: str = "text") -> str:
    """Hostile text as a block of code, with a fence longer than any that is in it: no link of it, no `@name` counts."""
    safe = readable(text).rstrip("\n")
    fence = "`" * max(LEAST_FENCE, 1 + max(map(len, _TICKS.findall(safe)), default=0))
    return f"{fence}{language}\n{safe}\n{fence}\n"
