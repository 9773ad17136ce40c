"""Batches for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from runner.model.batch_report import (
    AttemptFacts,
    BatchHead,
    Evidence,
    ReportParts,
    ReportTask,
    TaskFacts,
    Totals,
    Try,
    UsagePoint,
)
from runner.model.network import NetworkRow
from runner.model.result import CheckResult, CommitSummary, GateResult, Verdict
from tests.unit.report.results import result_with

DAY = "2026-11-21T"
LONG = (
    "</script><img src=x onerror=alert(1)> \"><svg onload=alert(2)> ' autofocus onfocus=alert(3) x=' "
    "]]><!-- --> &lt; &#x3c; \x1b]0;title\x07 \x00 \u202egnp.exe ## @someone ![x](https://a.example/x) "
    "<https://a.example> [a](javascript:alert(4)) | `` ``` ~~~ \ufffe =cmd|'/c calc'!A1\r\n# heading\n```\n=1+1\n"
)
"""What an agent writes that hopes for a reader, or for whatever shows it."""
SHARP = '=HYPERLINK("https://a.example";"x") |`<b>`\u202e\x1b[2J'


def at(second: float) -> str:
    """A moment of the day."""
    return f"{DAY}09:{int(second // 60):02}:{second % 60:06.3f}Z"


def attempt(number: int = 1, text: str = "", **fields: Any) -> AttemptFacts:
    """One that completed after a failed try; `text` wherever an agent could have a word."""
    tries = (
        Try(attempt=number, number=1, began_at=at(1), ended_at=at(4), run="run-1", outcome="agent-failed", reason=text),
        Try(attempt=number, number=2, began_at=at(6), ended_at=at(9), run="run-2", outcome="completed", reason=text),
    )
    usual = {
        "attempt": number,
        "state": "done",
        "outcome": "completed",
        "ok": True,
        "chosen": number == 1,
        "reason": text,
        "check": "passed",
        "run": "run-2",
        "branch": f"paddock/{text or 'run-2'}",
        "head": "c" * 40,
        "commits": 1,
        "files": 2,
        "insertions": 10,
        "deletions": 4,
        "cost_usd": 0.5,
        "tokens": 1200,
        "started_at": at(6),
        "ended_at": at(9),
        "seconds": 6.0,
        "tries": tries,
    }
    return AttemptFacts(**{**usual, **fields})


def evidence(number: int = 1, text: str = "", diff: str = "+new\n", **fields: Any) -> Evidence:
    """What such a run leaves."""
    result = result_with(
        id="run-2",
        reason=text,
        answer=text,
        commits=(CommitSummary(sha="c" * 40, subject=text, author=text, files=2, insertions=10, deletions=4),),
        gates=(
            GateResult(name="runs-in-ci", verdict=Verdict.FLAGGED, detail=(f"ci.yml {text}",)),
            GateResult(name=text or "names", verdict=Verdict.BLOCKED, detail=(text,)),
        ),
        denials=(NetworkRow(name=text or "evil.example", port=443, verdict="refused", reason="not-listed", count=3),),
        check=CheckResult(command=f"make {text}", exit_code=1, seconds=1.5, output=text),
        notices=(text,),
    )
    return Evidence(attempt=number, **{"result": result, "diff": diff, "diff_bytes": len(diff), **fields})


def task(number: int = 1, text: str = "", **fields: Any) -> ReportTask:
    """One task with one attempt."""
    usual = {
        "number": number,
        "name": f"task {number} {text}".strip(),
        "repo": f"/repos/{text or 'api'}",
        "agent": text or "claude",
        "tags": (text or "tag",),
        "state": "completed",
        "ok": True,
        "cpus": 0.5,
        "memory": 256 * 1024**2,
        "attempts": (attempt(text=text),),
        "evidence": (evidence(text=text, diff=f"diff --git a/x b/x\n+{text}\n-{text}\n"),),
    }
    return ReportTask(**{**usual, **fields})


def parts(*tasks: ReportTask, **fields: Any) -> ReportParts:
    """A batch that has ended."""
    usual = {
        "id": "2026-11-21-tasks-abcd",
        "state": "ended",
        "file": "/home/me/tasks.toml",
        "created_at": at(0),
        "ended_at": at(10),
        "made_at": at(20),
        "totals": Totals(succeeded=len(tasks), runs=2 * len(tasks), cost_usd=0.5, tokens=1200, seconds=10),
        "usage": tuple(
            UsagePoint(at=at(second), busy=1.5, cpus=2, used=2**30, memory=2**32) for second in (2.0, 4.0, 8.0)
        ),
    }
    facts = [TaskFacts(**{name: getattr(each, name) for name in TaskFacts.model_fields}) for each in tasks]
    return ReportParts(head=BatchHead(**{**usual, **fields}), facts=facts, tasks=tasks)
