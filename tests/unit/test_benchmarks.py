"""The benchmarks' own arithmetic, and the one target that no noise can change: what `--help` imports."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.measure import Finding, Samples, interleave, ratio
from benchmarks.startup import HEAVY, fill_ledger, imported
from runner import __main__
from runner.store.ledger import Ledger


def test_things_are_done_in_turn_and_the_first_round_only_warms_up() -> None:
    done: list[str] = []
    taken = interleave({"a": lambda: done.append("a"), "b": lambda: done.append("b")}, rounds=2)
    assert done == ["a", "b", "a", "b", "a", "b"]
    assert [len(samples.seconds) for samples in taken.values()] == [2, 2]


def test_a_ratio_compares_medians_and_misses_its_target_when_it_is_larger() -> None:
    measured, floor = Samples((3.0, 3.0, 90.0)), Samples((2.0, 2.0, 0.1))
    assert ratio("r", measured, floor, 1.5).value == 1.5
    assert ratio("r", measured, floor, 1.5).met
    assert not ratio("r", measured, floor, 1.4).met


def test_a_missed_target_is_said_in_the_line() -> None:
    assert "MISSED" in Finding(name="n", value=2, target=1).line()
    assert "MISSED" not in Finding(name="n", value=1, target=1).line()


def test_the_ledger_of_the_benchmark_holds_what_it_claims(tmp_path: Path) -> None:
    fill_ledger(tmp_path / "ledger.db", 30)
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert len(ledger.list()) == 30
        assert len(ledger.list(running_only=True)) == 10


def test_help_loads_neither_docker_nor_pydantic(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Path(__main__.__file__)
    monkeypatch.setenv("PYTHONPATH", str(program.parents[1]))
    assert not HEAVY & imported(program, "--help")
    assert "pydantic" in imported(program, "policy", "show"), "the look at the imports sees nothing"
