"""A short run of `make fuzz`: whatever a collector hands out, the host comes to a verdict and touches nothing else."""

from __future__ import annotations

from hypothesis import seed

from runner.model.result import Verdict
from tests.fuzz.attacks import Handout
from tests.fuzz.host_path import fuzz, ground


def test_every_handout_of_a_hostile_collector_gets_a_verdict() -> None:
    seed(1)(fuzz(40))()


def test_what_an_honest_collector_hands_out_arrives() -> None:
    sample = ground().sample
    report = (ground().stage.root / "out/report.json").read_bytes()

    gates = ground().try_out(Handout(report, sample.bundle))

    assert [gate.name for gate in gates if gate.verdict is Verdict.BLOCKED] == []


def test_a_handout_without_its_last_byte_is_blocked() -> None:
    sample = ground().sample
    report = (ground().stage.root / "out/report.json").read_bytes()

    gates = ground().try_out(Handout(report, sample.bundle[:-1]))

    assert [gate.name for gate in gates if gate.verdict is Verdict.BLOCKED] == ["git-structure"]
