"""Result documents for tests of what is made of them."""

from __future__ import annotations

from typing import Any

from runner.model.result import Digests, Outcome, RunResult

HOSTILE = (
    "]]>\x00\x1b[2J\u202e</failure><script>alert(1)</script> ![x](http://a.example/x) `` | \ud800 \ufffe "
    "@you\n# end\n```mermaid\n"
)
"""Everything at once that a reader could take for something else."""


def result_with(**fields: Any) -> RunResult:
    """A completed run with these fields."""
    usual = {
        "id": "2026-11-21-x-abcd",
        "outcome": Outcome.COMPLETED,
        "exit_code": 0,
        "repo": "/repo",
        "digests": Digests(policy=""),
        "started_at": "2026-11-21T09:00:00.000Z",
        "ended_at": "2026-11-21T09:00:01.000Z",
    }
    return RunResult(**{**usual, **fields})
