"""The outcome follows from facts that the host knows, in a fixed order."""

from __future__ import annotations

import pytest

from runner.model.policy import Limits
from runner.model.result import DESCRIPTIONS, EXIT_CODES, GateResult, Outcome, Verdict
from runner.report.outcome import End, decide_outcome, exit_code_of, reason_of

BLOCKED = (GateResult(name="ancestry", verdict=Verdict.BLOCKED),)
FLAGGED = (GateResult(name="runs-later", verdict=Verdict.FLAGGED),)


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (End(stopped=None, exit_code=0, changed=True), Outcome.COMPLETED),
        (End(stopped=None, exit_code=0, changed=True, gates=FLAGGED), Outcome.COMPLETED),
        (End(stopped=None, exit_code=0), Outcome.NO_CHANGES),
        (End(stopped=None, exit_code=0, left=True), Outcome.REJECTED),
        (End(stopped=None, exit_code=0, left=True, changed=True), Outcome.COMPLETED),
        (End(stopped=None, exit_code=5, left=True), Outcome.AGENT_FAILED),
        (End(stopped=None, exit_code=137, out_of_memory=True, failure="no collector"), Outcome.OUT_OF_MEMORY),
        (End(stopped=None, exit_code=None, out_of_memory=True), Outcome.ENGINE_FAILED),
        (End(stopped=None, exit_code=3, changed=True), Outcome.AGENT_FAILED),
        (End(stopped=None, exit_code=137), Outcome.AGENT_FAILED),
        (End(stopped=None, exit_code=137, out_of_memory=True), Outcome.OUT_OF_MEMORY),
        (End(stopped=None, exit_code=1, out_of_memory=True), Outcome.OUT_OF_MEMORY),
        (End(stopped=None, exit_code=0, out_of_memory=True, changed=True), Outcome.COMPLETED),
        (End(stopped=None, exit_code=0, changed=True, gates=BLOCKED), Outcome.REJECTED),
        (End(stopped=None, exit_code=1, changed=True, gates=BLOCKED), Outcome.REJECTED),
        (End(stopped=Outcome.TIMED_OUT, exit_code=143, changed=True, gates=BLOCKED), Outcome.TIMED_OUT),
        (End(stopped=Outcome.IDLE, exit_code=0, changed=True), Outcome.IDLE),
        (End(stopped=Outcome.CANCELLED, exit_code=137), Outcome.CANCELLED),
        (End(stopped=None, exit_code=None), Outcome.ENGINE_FAILED),
        (End(stopped=None, exit_code=0, changed=True, failure="the collector failed"), Outcome.ENGINE_FAILED),
    ],
)
def test_each_end_has_its_outcome(end: End, outcome: Outcome) -> None:
    assert decide_outcome(end) is outcome


def test_every_outcome_has_an_exit_code_and_a_sentence() -> None:
    assert set(EXIT_CODES) == set(Outcome)
    assert set(DESCRIPTIONS) == set(Outcome)
    assert all(text.endswith(".") for text in DESCRIPTIONS.values())


def test_no_two_failures_share_an_exit_code() -> None:
    failures = [code for outcome, code in EXIT_CODES.items() if outcome not in {Outcome.COMPLETED, Outcome.NO_CHANGES}]
    assert len(set(failures)) == len(failures)
    assert 0 not in failures


def test_no_changes_fails_only_where_changes_were_expected() -> None:
    assert exit_code_of(Outcome.NO_CHANGES, expect_changes=False) == 0
    assert exit_code_of(Outcome.NO_CHANGES, expect_changes=True) == 3
    assert exit_code_of(Outcome.COMPLETED, expect_changes=True) == 0


def test_the_reason_names_the_limit_and_what_blocked() -> None:
    end = End(stopped=Outcome.TIMED_OUT, exit_code=137, gates=BLOCKED)
    assert reason_of(Outcome.TIMED_OUT, end, Limits()) == "limits.wall_clock = 1h; blocked by ancestry"
