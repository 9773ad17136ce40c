"""JUnit XML: it can be read whatever an agent wrote, and counts what failed."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.result import CheckResult, GateResult, Outcome, RunResult, Verdict
from runner.report.junit import junit_xml
from tests.unit.report.results import HOSTILE, result_with


def read(*results: RunResult) -> ET.Element:
    return ET.fromstring(junit_xml(results).encode())  # noqa: S314 - what is read here is what we wrote


@given(st.text(max_size=50))
def test_any_text_gives_a_document_that_can_be_read(text: str) -> None:
    gate = GateResult(name=text, verdict=Verdict.BLOCKED, detail=(text,))
    check = CheckResult(command=text, exit_code=1, seconds=1, output=text)
    root = read(result_with(id=text, gates=(gate,), check=check, exit_code=20, reason=text))
    assert [each.tag for each in root.iter("failure")] == ["failure"] * 3


def test_hostile_text_stays_text() -> None:
    check = CheckResult(command=HOSTILE, exit_code=1, seconds=1, output=HOSTILE)
    root = read(result_with(check=check, exit_code=17, outcome=Outcome.CHECK_FAILED))
    assert not root.findall(".//script")
    (said,) = [each.text or "" for each in root.findall(".//failure[@type='check']")]
    assert "<script>alert(1)</script>" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("outcome", "code", "kind"),
    [
        (Outcome.COMPLETED, 0, "system-out"),
        (Outcome.AGENT_FAILED, 10, "failure"),
        (Outcome.NO_CHANGES, 3, "failure"),
        (Outcome.REFUSED, 30, "error"),
        (Outcome.ENGINE_FAILED, 40, "error"),
    ],
)
def test_the_run_is_a_case_of_its_own(outcome: Outcome, code: int, kind: str) -> None:
    root = read(result_with(outcome=outcome, exit_code=code))
    (case,) = root.iter("testcase")
    assert [each.tag for each in case] == [kind]


def test_gates_that_flag_do_not_fail_and_gates_that_block_do() -> None:
    gates = tuple(GateResult(name=each.value, verdict=each, detail=("why",)) for each in Verdict)
    root = read(result_with(gates=gates, exit_code=20, outcome=Outcome.REJECTED), result_with())
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("5", "2", "0")
    cases = {case.get("name"): [each.tag for each in case] for case in root[0]}
    assert cases == {
        "run": ["failure"],
        "gate: passed": [],
        "gate: flagged": ["system-out"],
        "gate: blocked": ["failure"],
    }
