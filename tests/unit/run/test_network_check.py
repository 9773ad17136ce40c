"""`paddock doctor --network`: what it makes of a sandbox's proof, and that nothing is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.errors import EngineError
from runner.report.health import Level
from runner.run.network_check import check_network, judged
from runner.sandbox.fake_proof import fake_proof
from runner.sandbox.proof import Proof
from tests.unit.run.fake_host import FakeHost
from tests.unit.sandbox.specs import spec_for


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    """A host with the fake engine."""
    return FakeHost(tmp_path)


def test_a_good_network_is_told_and_nothing_is_left(fake: FakeHost) -> None:
    findings = list(check_network(fake.host()))

    assert [(finding.name, finding.level) for finding in findings] == [
        (f"net-{name}", Level.OK) for name in ("gateway", "canary", "route", "interface", "sandbox")
    ]
    assert list((fake.state / "runs").iterdir()) == []
    assert fake.engine.boxes == {}


def test_an_engine_that_fails_is_a_finding_and_nothing_is_left(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise EngineError("No space left.", hint="Make some.")

    monkeypatch.setattr(fake.engine, "create", broken)
    (finding,) = check_network(fake.host())

    assert (finding.level, finding.meaning, finding.advice) == (Level.FAILED, "No space left.", "Make some.")
    assert list((fake.state / "runs").iterdir()) == []


@pytest.mark.parametrize(
    ("failed", "change"),
    [
        ("gateway", {"network": {"fault": "port 53 is taken"}}),
        ("canary", {"network": {"lookup": "OK 127.1.0.1"}}),
        ("canary", {"network": {"answer": 0}}),
        ("route", {"network": {"unreachable": {}}}),
        ("route", {"routes": ["eth0"]}),
        ("interface", {"interfaces": ["eth0", "lo"]}),
    ],
)
def test_every_fault_fails_the_finding_that_is_about_it(failed: str, change: dict[str, Any]) -> None:
    spec = spec_for().model_copy(update={"network": "gateway"})
    proof = fake_proof(spec)
    network = {**proof["network"], **change.pop("network", {})}
    findings = list(judged(spec, Proof.model_validate({**proof, **change, "network": network}, strict=False)))

    bad = [finding.name for finding in findings if finding.level is Level.FAILED]
    assert bad == [f"net-{failed}", "net-sandbox"], "and the whole proof fails with it"
