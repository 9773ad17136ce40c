"""What a reviewer has to look at is told by kind, the most dangerous first, and never without end."""

from __future__ import annotations

from runner.model.gates import GATES
from runner.model.result import GateResult, Verdict
from runner.report.summary import review_lines


def gate(name: str, *detail: str, verdict: Verdict = Verdict.FLAGGED) -> GateResult:
    return GateResult(name=name, verdict=verdict, detail=detail)


def lines(*gates: GateResult, most: int | None = None) -> list[str]:
    return list(review_lines(gates, most=most, more="paddock show x"))


def test_each_finding_stands_under_its_heading_the_most_dangerous_first() -> None:
    assert lines(
        gate("large-files", "core has 60000000 bytes"),
        gate("dependencies", "uv.lock (lock files)"),
        gate("steers-agents", "CLAUDE.md (agents' instructions)"),
        gate("names", verdict=Verdict.PASSED),
        gate("runs-in-ci", ".github/workflows/ci.yml (CI)"),
        gate("runs-later", ".envrc (shells and environments)"),
        gate("secrets", "config.py:3: GitHub token (commit 222222222222)"),
    ) == [
        "  flagged   looks like a secret: secrets",
        "            config.py:3: GitHub token (commit 222222222222)",
        "  flagged   runs on this machine: runs-later",
        "            .envrc (shells and environments)",
        "  flagged   runs in CI: runs-in-ci",
        "            .github/workflows/ci.yml (CI)",
        "  flagged   steers agents: steers-agents",
        "            CLAUDE.md (agents' instructions)",
        "  flagged   dependencies: dependencies",
        "            uv.lock (lock files)",
        "  flagged   size: large-files",
        "            core has 60000000 bytes",
    ]


def test_what_blocks_comes_before_what_is_more_dangerous() -> None:
    told = lines(gate("secrets", "a"), gate("file-count", "b", verdict=Verdict.BLOCKED))
    assert [line.split()[0] for line in told] == ["blocked", "b", "flagged", "a"]


def test_a_gate_with_much_to_say_is_cut_and_says_where_the_rest_is() -> None:
    told = lines(gate("runs-later", *(f"file {number}" for number in range(9))), most=2)
    assert told[1:] == ["            file 0", "            file 1", "            ... and more: paddock show x"]


def test_a_gate_of_another_version_is_told_last_and_by_its_name() -> None:
    assert lines(gate("brand-new", "what"), gate("refs", "x"))[2:] == ["  flagged   brand-new", "            what"]


def test_every_gate_has_a_heading() -> None:
    assert all(f": {name}" in lines(gate(name))[0] for name in GATES)
