"""The report of a batch as a table for spreadsheets: a line for each attempt, and no cell that is a formula. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from runner.escape import escape_text
from runner.model.batch_report import AttemptFacts, Evidence, ReportParts, TaskFacts
from runner.model.result import Verdict
from runner.report.batch_words import word_of
from runner.report.network import without_canary

MOST_CELL = 2000
"""Characters of an agent's text: spreadsheets take 32,767."""
# What spreadsheets take for a formula, at a cell's beginning and where a semicolon would begin one, as it does in many
# countries: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = re.compile(r"(?:^|(?<=;))(?=[ \"]*[=+\-@\uff1d\uff0b\uff0d\uff20])")


def batch_csv(parts: ReportParts) -> Iterator[str]:
    """The lines, as RFC 4180 has them; the first one names the columns."""
    named = False
    for task in parts.tasks:
        for facts, evidence in zip(task.attempts, task.evidence, strict=True):
            cells = dict(_cells(parts.head.id, task, facts, evidence))
            if not named:
                yield _line(list(cells))
                named = True
            yield _line(list(cells.values()))


def _cells(batch: str, task: TaskFacts, facts: AttemptFacts, evidence: Evidence) -> Iterator[tuple[str, str]]:
    yield from {"batch": batch, "number": str(task.number), "task": task.name, "attempt": str(facts.attempt)}.items()
    yield "chosen", "yes" if facts.chosen else "no"
    yield from {"repository": task.repo, "agent": task.agent, "outcome": word_of(facts)}.items()
    yield "ok", "yes" if facts.ok else "no"
    yield from {"reason": facts.reason, "check": facts.check, "branch": facts.branch, "head": facts.head}.items()
    for name in ("commits", "files", "insertions", "deletions", "blocked", "flagged", "denied", "tokens"):
        yield name, str(getattr(facts, name))
    yield "cost_usd", f"{facts.cost_usd:.6f}"
    yield "seconds", f"{facts.seconds:.3f}"
    yield "cpu_seconds", f"{facts.cpu_seconds:.3f}"
    yield "peak_memory", str(facts.peak_memory)
    yield "tries", str(len(facts.tries))
    yield from {"run": facts.run, "started_at": facts.started_at, "ended_at": facts.ended_at}.items()
    yield "tags", " ".join(task.tags)
    yield from _left(evidence)


def _left(evidence: Evidence) -> Iterator[tuple[str, str]]:
    result = evidence.result
    gates = [] if result is None else [gate for gate in result.gates if gate.verdict is not Verdict.PASSED]
    denials = () if result is None else without_canary(result.denials)
    yield "gates", "; ".join(f"{gate.name}: {', '.join(gate.detail)}" for gate in gates)
    yield "denials", " ".join(dict.fromkeys(row.name for row in denials))
    yield "answer", "" if result is None else result.answer
    yield "diff_bytes", str(evidence.diff_bytes)


def _line(cells: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(map(_plain, cells))
    return out.getvalue()


def _plain(text: str) -> str:
    """In one line, with what it hides spelled out; text that could be a formula begins with an apostrophe."""
    safe = escape_text(text[:MOST_CELL]) + ("..." if len(text) > MOST_CELL else "")
    return _FORMULA.sub("'", safe)
