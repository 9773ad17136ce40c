"""A job's summary: what an agent wrote stays in its quotation or span, and the rest is all there."""

from __future__ import annotations

import re

from runner.model.network import NetworkRow
from runner.model.result import CheckResult, CommitSummary, GateResult, Outcome, Verdict
from runner.report.ci_summary import MOST_LINES, ci_summary
from tests.unit.report.results import HOSTILE, result_with

SPAN = re.compile(r"(?P<ticks>`+)(?!`)(?:.*?[^`])(?P=ticks)(?!`)")


def outside(summary: str) -> str:
    """What a viewer sees beside quotations and spans of code."""
    lines = [line for line in summary.splitlines() if not line.startswith(">")]
    return "\n".join(SPAN.sub("", line) for line in lines)


def hostile_summary() -> str:
    commit = CommitSummary(sha="a" * 40, subject=HOSTILE, author=HOSTILE, files=1, insertions=1, deletions=1)
    gates = [GateResult(name="names", verdict=verdict, detail=(HOSTILE,)) for verdict in Verdict]
    return ci_summary(
        result_with(
            outcome=Outcome.CHECK_FAILED,
            exit_code=17,
            reason=HOSTILE,
            commits=(commit,),
            gates=tuple(gates),
            check=CheckResult(command=HOSTILE, exit_code=1, seconds=1, output=HOSTILE),
            denials=(NetworkRow(name=HOSTILE, port=1, verdict="refused", reason="", count=2),),
            notices=(HOSTILE,),
            answer=HOSTILE,
        )
    )


def test_hostile_text_is_nowhere_but_in_quotations_and_spans() -> None:
    seen = outside(hostile_summary())
    for piece in ("script", "![", "mermaid", "@you", "# end", "\x1b", "\u202e", "]]>"):
        assert piece not in seen, piece
    headings = [line for line in seen.splitlines() if line.startswith("#")]
    assert headings == [
        "## Paddock: check-failed",
        "### Commits",
        "### Gates: blocked",
        "### Gates: to be reviewed",
        "### Check",
        "### Denied by the policy",
        "### Notes",
        "### The agent's answer",
    ]


def test_nothing_that_is_quoted_would_be_loaded() -> None:
    quoted = [line for line in hostile_summary().splitlines() if line.startswith(">")]
    assert quoted
    assert not [line for line in quoted if "![" in line or "<script" in line or "```mermaid" in line]


def test_the_facts_are_there() -> None:
    summary = ci_summary(result_with(branch="paddock/x", base="b" * 40, agent="demo"))
    for line in ("- branch: `paddock/x`", "- agent: `demo`", "- exit code: 0", "- run: `2026-11-21-x-abcd`"):
        assert line in summary


def test_a_thousand_commits_are_cut() -> None:
    commit = CommitSummary(sha="a" * 40, subject="s", author="a", files=1, insertions=1, deletions=1)
    summary = ci_summary(result_with(commits=(commit,) * 1000))
    assert summary.count("`aaaaaaaaaa`") == MOST_LINES
    assert "and 900 more" in summary
