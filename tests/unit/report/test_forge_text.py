"""What is put into a pull request's title and text has no effect at a forge, nor in a squashed commit's message."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.batch.prompts import filled
from runner.escape import is_plain
from runner.model.result import CommitSummary, GateResult, Outcome, RunResult, Verdict
from runner.report.forge_text import (
    BODY,
    LONGEST_BODY,
    LONGEST_TITLE,
    block,
    body_words,
    defused,
    one_title,
    span,
    title_of,
    title_words,
)
from tests.unit.batch.test_settled import result

EFFECTS = {
    "a mention": r"@[A-Za-z0-9_-]",
    "an issue": r"[#!&%$~][0-9]|\bGH-[0-9]",
    "a link": r"://",
    "HTML": r"<[A-Za-z/!?]",
    "a comment's end": r"-->",
    "a picture": r"!\[",
    "a fence": r"```|~~~",
    "a quick action": r"(?m)^[^\S\n]*/[a-z]",
    "a trailer": r"(?m)^[A-Za-z-]+[^\S\n]*:",
    "no CI": r"(?i)\[\s*(skip|ci|no)\b",
}
ATTACKS = [
    "@octocat and @acme/team, a@b",
    "Fixes #1, closes acme/api#2, resolves GH-3, !4 &5 %6 $7 ~8",
    "Closes https://github.com/acme/api/issues/1",
    "<img src=x onerror=alert(1)></details><script>x</script><!-- -->",
    "![x](http://evil.example/x.png) [![y](z)](w)",
    "```\nout of it\n```\n~~~~~\n``````",
    "/merge\n  /assign @me\n\t/close",
    "Co-authored-by: x <x@y>\nSigned-off-by : y\nskip-checks: true",
    "[skip ci] [ci skip] [ no ci ] [CI-SKIP]",
    "\x1b[31m\u202e\x00\r\n/close\r/merge\u2028/close",
]
PIECES = [
    "@",
    "#",
    "1",
    "GH-",
    "://",
    "<",
    "a",
    "`",
    "~",
    "!",
    "[",
    "]",
    "/",
    "\n",
    " ",
    "skip ci",
    "--",
    ">",
    "by:",
    "\u200b",
]
HOSTILE = st.sampled_from(ATTACKS) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=80)


def effects(text: str) -> list[str]:
    return [name for name, pattern in EFFECTS.items() if re.search(pattern, text)]


def test_every_attack_has_an_effect_before() -> None:
    assert {name for text in ATTACKS for name in effects(text)} == set(EFFECTS)


@given(HOSTILE)
def test_nothing_hostile_has_an_effect_and_people_read_what_was_written(text: str) -> None:
    shown = defused(text)
    assert effects(shown) == []
    assert is_plain(shown.replace("\u200b", "").replace("\n", ""))
    if text.isprintable():
        assert shown.replace("\u200b", "") == text


@given(HOSTILE, HOSTILE, HOSTILE)
def test_a_whole_text_has_only_what_the_template_says(answer: str, subject: str, finding: str) -> None:
    run = told(answer, subject, finding)
    facts = {"name": subject, "agent": "claude", "batch": "b", "run": "r", "check": "passed", "cost": "0.10 USD"}
    body = filled(BODY, body_words(run, answer, facts))
    fences = [line for line in body.splitlines() if line.startswith("```")]
    assert fences in ([], ["```text", "```"] * 2)
    outside = re.sub(r"(?s)```text\n.*?\n```", "", body)
    outside = re.sub(r"`[^`\n]+`", "", outside)
    assert re.sub(r"\s+", " ", outside).strip() == re.sub(
        r"\s+", " ", re.sub(r"\{(answer|prompt)\}", "" if fences else "(none)", EXPECTED)
    )
    assert effects(one_title(filled("{name}", title_words(facts)))) == []


EXPECTED = (
    "Made by in a sandbox, as the task of the batch . Run: . Check: . Cost: . ### What was asked {prompt} "
    "### What the agent says In its own words: nothing of it was checked. {answer} ### Commits - ### To be looked at -"
)


def told(answer: str, subject: str, finding: str, commits: int = 1) -> RunResult:
    commit = CommitSummary(sha="0" * 40, subject=subject, author="a", files=1, insertions=1, deletions=0)
    gate = GateResult(name="runs-later", verdict=Verdict.FLAGGED, detail=(finding,))
    return result(Outcome.COMPLETED, answer=answer, commits=(commit,) * commits, gates=(gate,))


def test_texts_are_cut_before_a_forge_would_refuse_them() -> None:
    run = told("\x1b" * 40_000, "s" * 3000, "f" * 3000, commits=3000)
    body = filled(BODY, body_words(run, "p\n" * 40_000, dict.fromkeys(("name", "agent", "batch"), "x" * 900)))
    assert len(body) < LONGEST_BODY
    assert "(cut here)" in body
    assert "- and 2950 more" in body
    assert len(one_title("t" * 1000)) == LONGEST_TITLE


@pytest.mark.parametrize(
    ("prompt", "title"),
    [("\n\n# Fix the tests\nNow.", "Fix the tests"), ("", "a-task"), ("#\n", "a-task"), ("one\ntwo", "one")],
)
def test_a_title_is_the_first_line_of_what_was_asked(prompt: str, title: str) -> None:
    assert title_of(prompt, "a-task") == title


def test_nothing_is_still_a_span_and_a_block() -> None:
    assert (span(""), span("`x`"), block(" \n")) == ("` `", "`\u2019x\u2019`", "\n(none)\n")
