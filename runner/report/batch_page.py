"""The report of a batch as one page of HTML that needs nothing else: no script, no picture, no address elsewhere. Pure.

Its Content-Security-Policy allows one style sheet, by digest, and nothing more: what should ever get past the
escaping can load nothing, run nothing and look like nothing of ours.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence

from runner.model.batch_report import BatchHead, ReportParts, TaskFacts
from runner.report.batch_style import STYLE
from runner.report.batch_task_page import pill, task_part
from runner.report.batch_timeline import timeline
from runner.report.batch_words import cost_of, heading_of, lines_of, period, short_repo, totals_of
from runner.report.markup import Markup, element, joined

DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{DIGEST}'; base-uri 'none'; form-action 'none'"
COLUMNS = ("", "task", "repository", "agent", "outcome", "check", "branch", "commits", "diff", "cost", "time")
COUNTS = frozenset({"", "commits", "diff", "cost", "time"})
LEGEND = (
    ("good", "completed"),
    ("none", "no changes"),
    ("bad", "failed"),
    ("halt", "cancelled"),
    ("busy", "running"),
    ("granted", "granted to sandboxes"),
    ("used", "used on this machine"),
)


def batch_page(parts: ReportParts) -> Iterator[str]:
    """The page, piece by piece; one task is in memory at a time."""
    head = parts.head
    yield (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="viewport" content="width=device-width">\n'
    )
    yield f"{element('title', f'Batch {head.id}')}\n<style>{STYLE}</style>\n</head>\n<body>\n"
    yield joined(
        element("h1", f"Batch {head.id}"), pill(head.state, ok=not (head.totals.failed or head.totals.skipped)), "\n"
    )
    yield joined(element("p", f"{heading_of(head)}. {head.file}", class_="quiet"), _totals(head), "\n")
    yield element("h2", "Timeline")
    yield element("div", element("div", timeline(head, parts.facts), class_="scroll"), _legend(), class_="sheet")
    yield f"\n{element('h2', 'Tasks')}\n"
    yield element("div", _table(parts.facts), class_="sheet scroll")
    yield f"\n{element('h2', 'What each left')}\n"
    for task in parts.tasks:
        yield f"{task_part(task)}\n"
    yield "</body>\n</html>\n"


def _totals(head: BatchHead) -> Markup:
    pairs = (element("div", element("dt", name), element("dd", value)) for name, value in totals_of(head))
    return element("dl", *pairs, class_="totals")


def _legend() -> Markup:
    return element("div", *(element("span", element("i", class_=kind), text) for kind, text in LEGEND), class_="legend")


def _table(facts: Sequence[TaskFacts]) -> Markup:
    head = element("tr", *(element("th", name, **_class(name)) for name in COLUMNS))
    return element("table", element("thead", head), element("tbody", *map(_row, facts)))


def _class(column: str) -> dict[str, str]:
    if column in COUNTS:
        return {"class_": "count"}
    return {"class_": {"task": "name", "branch": "branch"}[column]} if column in {"task", "branch"} else {}


def _row(task: TaskFacts) -> Markup:
    best = task.best
    name = element("a", task.name, href=f"#task-{task.number}")
    why = element("div", best.reason, class_="why") if best.reason and not task.ok else Markup()
    chosen = f"attempt {best.attempt} of {len(task.attempts)}" if len(task.attempts) > 1 and best.chosen else ""
    cells: tuple[str, ...] = (
        str(task.number),
        joined(name, element("div", chosen, class_="why") if chosen else "", why),
        element("span", short_repo(task.repo), title=task.repo),
        task.agent,
        pill(task.state, ok=task.ok),
        best.check,
        element("code", best.branch) if best.branch else "",
        str(best.commits) if best.commits else "",
        lines_of(best),
        cost_of(task.cost_usd),
        period(task.seconds),
    )
    return element("tr", *(element("td", cell, **_class(name)) for name, cell in zip(COLUMNS, cells, strict=True)))
