"""The page of a batch: beautiful is for the eye; that nothing of an agent's does anything in it is proved here."""

from __future__ import annotations

import base64
import hashlib
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model.batch_report import Evidence, ReportParts, Try, UsagePoint
from runner.report.batch_page import batch_page
from runner.report.batch_timeline import timeline
from runner.report.cells import readable
from runner.report.markup import element, joined
from tests.unit.report.batches import LONG, SHARP, at, attempt, evidence, parts, task
from tests.unit.report.pages import Page


def page_of(told: ReportParts) -> str:
    return "".join(batch_page(told))


@pytest.mark.parametrize("text", [LONG, SHARP])
def test_nothing_that_an_agent_writes_is_anything_but_text(text: str) -> None:
    page = page_of(parts(task(1, text), task(2, text, state="agent-failed", ok=False), why=text))
    found = Page(page)
    found.hold()
    for tag in ("b", "pre", "li", "div"):
        assert readable(text).strip() in found.text(tag), tag
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ufffe]", page)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40).filter(str.strip))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    found = Page(page_of(parts(task(1, text))))
    found.hold()
    assert readable(f"1. {task(1, text).name}") == found.text("b")
    assert [value for tag, name, value in found.attributes if (tag, name) == ("span", "title")] == [
        readable(f"/repos/{text}").replace("\n", " ")
    ]


def test_the_page_allows_its_own_style_sheet_and_nothing_else() -> None:
    found = Page(page_of(parts(task())))
    (policy,) = [value for _, _, value in found.attributes if value.startswith("default-src")]
    digest = base64.b64encode(hashlib.sha256(found.text("style").encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert found.tags.count("style") == 1
    assert not re.search(r"url\(|@import|expression", found.text("style"))


def test_what_is_no_markup_is_escaped_however_it_was_put_together() -> None:
    inner = element("b", "<")
    assert element("p", inner) == "<p><b>&lt;</b></p>"
    assert joined(f"{inner}") == "&lt;b&gt;&amp;lt;&lt;/b&gt;"
    assert element("p", title="\"'\n<\x00") == '<p title="&quot;&#x27; &lt;\\x00"></p>'


def svg_of(told: ReportParts) -> ET.Element:
    return ET.fromstring(timeline(told.head, told.facts))  # noqa: S314 - what is read here is what we wrote


def bars_of(told: ReportParts) -> list[tuple[str, float, float, float]]:
    """Class, left, right and top of each bar."""
    bars = [each for each in svg_of(told).iter() if "bar" in each.get("class", "").split()]
    return [
        (
            bar.get("class", ""),
            float(bar.get("x", "")),
            float(bar.get("x", "")) + float(bar.get("width", "")),
            float(bar.get("y", "")),
        )
        for bar in bars
    ]


def test_each_try_is_a_bar_in_its_outcomes_colour_and_one_that_was_repeated_is_pale() -> None:
    first, second = bars_of(parts(task()))
    assert (first[0], second[0]) == ("bar bad again", "bar good")
    assert first[2] < second[1]
    assert first[3] == second[3]


def test_a_bar_whose_try_is_under_way_goes_on_to_now_and_one_that_nobody_ended_is_told_as_that() -> None:
    under_way = attempt(state="running", outcome="", tries=(Try(attempt=1, number=1, began_at=at(5)),))
    running = task(2, state="running", ok=False, attempts=(under_way,), evidence=(Evidence(attempt=1),))
    bars = bars_of(parts(task(1), running, state="running", ended_at=""))
    assert bars[-1][0] == "bar busy"
    assert bars[-1][2] == pytest.approx(992, abs=0.1), "to the right edge, which is now"
    lost = task(2, state="queued", ok=False, attempts=(under_way,), evidence=(Evidence(attempt=1),))
    assert bars_of(parts(task(1), lost, state="interrupted", ended_at=""))[-1][0] == "bar halt"


def test_a_night_between_a_stop_and_a_resume_takes_no_room() -> None:
    late = f"{at(0)[:11]}23:00:"
    again = Try(attempt=1, number=2, began_at=f"{late}00Z", ended_at=f"{late}04Z", outcome="completed")
    told = task(2, attempts=(attempt(tries=(again,)),))
    first, *_, last = bars_of(parts(task(1), told, ended_at=f"{late}04Z"))
    assert first[2] - first[1] > 150
    assert last[2] - last[1] > 150
    assert "in which nothing ran" in "".join(svg_of(parts(task(1), told)).itertext())


def test_of_many_tasks_those_that_ran_side_by_side_share_as_many_rows_as_were_needed() -> None:
    def one(number: int) -> Try:
        began = number // 4 * 10.0
        return Try(attempt=1, number=1, began_at=at(began), ended_at=at(began + 9), outcome="completed")

    told = parts(*(task(number, attempts=(attempt(tries=(one(number),)),)) for number in range(200)))
    assert len({top for _, _, _, top in bars_of(told)}) == 4


def test_the_curves_tell_what_was_granted_and_what_was_used() -> None:
    other = task(2)
    words = " ".join(svg_of(parts(task(1), other)).itertext())
    assert "granted 1" in words, "two at a time, of half a CPU each"
    assert "used 1.5 of 2" in words
    assert "granted 512.0 MiB" in words
    flat = svg_of(parts(task(), usage=()))
    assert not [each for each in flat.iter() if each.tag.endswith("polyline")]
    points = tuple(UsagePoint(at=at(2 + n / 1000), busy=1, cpus=2, used=1, memory=2) for n in range(5000))
    lines = [
        each.get("points", "") for each in svg_of(parts(task(), usage=points)).iter() if each.tag.endswith("polyline")
    ]
    assert all(len(line.split()) <= 400 for line in lines)


def test_where_nobody_measured_there_is_no_line() -> None:
    seconds = (1.0, 1.5, 2.0, 2.5, 7.0, 7.5, 8.0)
    points = tuple(UsagePoint(at=at(second), busy=1, cpus=2, used=1, memory=2) for second in seconds)
    lines = [each for each in svg_of(parts(task(), usage=points)).iter() if each.tag.endswith("polyline")]
    assert [len(each.get("points", "").split()) for each in lines] == [4, 3, 4, 3]


def test_a_batch_that_has_not_begun_has_a_page_all_the_same() -> None:
    nothing = attempt(state="queued", outcome="", ok=False, chosen=False, run="", tries=(), commits=0, branch="")
    page = Page(page_of(parts(task(state="queued", ok=False, attempts=(nothing,), evidence=(Evidence(attempt=1),)))))
    assert "Nothing has begun." in page.text()
    assert "svg" not in page.tags


def test_the_chosen_attempt_comes_first_and_the_others_follow() -> None:
    both = (attempt(1, chosen=False, ok=False, outcome="check-failed"), attempt(2, chosen=True))
    left = (evidence(1, diff="+worse\n"), evidence(2, diff="+better\n"))
    page = Page(page_of(parts(task(attempts=both, evidence=left, stands=1)))).text()
    assert page.index("attempt 2 of 2, chosen") < page.index("Attempt 1 of 2: ")
    assert page.index("+better") < page.index("+worse")


def test_a_patch_that_changes_its_kind_with_every_line_makes_no_page_many_times_its_size() -> None:
    diff = "+\n-\n" * 10_000
    page = page_of(parts(task(evidence=(evidence(diff=diff),))))
    assert len(page) < 2 * len(diff)
    told = "\n".join(text for tag, text in Page(page).texts if tag == "span" and text[:1] in "+-")
    assert told == diff.strip(), "all of it is there"


def test_what_was_cut_is_said() -> None:
    left = evidence(diff="+x\n", diff_bytes=4096, cut=("answer", "diff"))
    page = Page(page_of(parts(task(evidence=(left,))))).text()
    assert "The first 3 B of 4.0 KiB; `paddock diff run-2` prints all of it." in page
    assert "Cut here: answer; `paddock show run-2 --json` tells all of it." in page
