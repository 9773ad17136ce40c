"""Counts what a run's result comes to, and cuts the result down to what a report tells. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.model.result import RunResult, Verdict
from runner.report.network import without_canary

MOST_LISTED = 100
"""Of anything that a result lists."""
MOST_ANSWER = 20_000
"""Characters, from the beginning."""
MOST_OUTPUT = 8_000
"""Characters of what a check printed, from the end."""
_LISTS = ("branches", "commits", "artifacts", "denials", "would_deny", "touched", "rounds", "spent", "notices", "leaks")


def counted(result: RunResult) -> dict[str, Any]:
    """The fields of `AttemptFacts` that a result tells."""
    verdicts = [gate.verdict for gate in result.gates]
    memory = result.limits.get("memory")
    rounds = sum(each.tokens for each in result.rounds)
    return {
        "head": result.head,
        "files": sum(each.files for each in result.commits),
        "insertions": sum(each.insertions for each in result.commits),
        "deletions": sum(each.deletions for each in result.commits),
        "blocked": verdicts.count(Verdict.BLOCKED),
        "flagged": verdicts.count(Verdict.FLAGGED),
        "denied": len({row.name for row in without_canary(result.denials)}),
        "tokens": rounds or sum(each.tokens for each in result.spent),
        "cpu_seconds": result.usage.get("cpu_seconds", 0.0),
        "peak_memory": int((memory.peak if memory else None) or 0),
    }


def bounded(result: RunResult) -> tuple[RunResult, tuple[str, ...]]:
    """The result with long lists and texts cut, and the names of what was."""
    changed: dict[str, object] = {}
    for name in _LISTS:
        values: Sequence[object] = getattr(result, name)
        if len(values) > MOST_LISTED:
            changed[name] = values[:MOST_LISTED]
    if len(result.answer) > MOST_ANSWER:
        changed["answer"] = result.answer[:MOST_ANSWER]
    if result.check and len(result.check.output) > MOST_OUTPUT:
        changed["check"] = result.check.model_copy(update={"output": result.check.output[-MOST_OUTPUT:]})
    return result.model_copy(update=changed), tuple(changed)
