"""Findings of a review: what has the form and what has not, and an answer that says nothing."""

from __future__ import annotations

import pytest

from runner.report.answers import MOST_FINDINGS, Finding, findings


def test_findings_have_severity_place_and_sentence() -> None:
    answer = "```findings\nhigh src/pay.py:41: charges twice\nlow docs/setup.md: no --locked\n```"
    assert findings(answer) == (
        Finding(severity="high", path="src/pay.py", line=41, text="charges twice"),
        Finding(severity="low", path="docs/setup.md", text="no --locked"),
    )


def test_a_range_of_lines_begins_at_its_first() -> None:
    assert findings("```findings\n- medium a.c:7-9: leaks\n```") == (
        Finding(severity="medium", path="a.c", line=7, text="leaks"),
    )


@pytest.mark.parametrize("word", ["none", "None.", "- none"])
def test_none_says_that_nothing_was_found(word: str) -> None:
    assert findings(f"```findings\n{word}\n```") == ()


@pytest.mark.parametrize("answer", ["", "All is well, none.", "```findings\n```", "```findings\n\n  \n```"])
def test_an_answer_without_findings_and_without_none_says_nothing(answer: str) -> None:
    assert findings(answer) is None


def test_a_line_without_the_form_is_a_finding_all_the_same() -> None:
    assert findings("```findings\nthe tests cannot fail\n```") == (
        Finding(severity="unknown", text="the tests cannot fail"),
    )


def test_an_indented_line_goes_on_with_the_finding_before() -> None:
    assert findings("```findings\nlow a.py:1: one\n   and more\n```") == (
        Finding(severity="low", path="a.py", line=1, text="one and more"),
    )


def test_a_place_that_leads_out_is_no_place() -> None:
    assert findings("```findings\nhigh /etc/shadow:1: x\n```") == (Finding(severity="high", path="", line=1, text="x"),)


def test_findings_are_escaped_and_only_so_many() -> None:
    found = findings("```findings\n" + "high a.py:1: \x1b[2J gone\n" * (2 * MOST_FINDINGS) + "```")
    assert found == (Finding(severity="high", path="a.py", line=1, text=r"\x1b[2J gone"),) * MOST_FINDINGS


def test_a_finding_is_told_in_one_line() -> None:
    told = [str(each) for each in findings("```findings\nhigh a.py:1: x\nlow b: y\njust so\n```") or ()]
    assert told == ["high a.py:1: x", "low b: y", "unknown: just so"]
