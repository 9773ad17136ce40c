"""Markdown, JSON, JUnit and CSV of a batch: the facts of the page, and nothing of an agent's does anything in them."""

from __future__ import annotations

import csv
import io
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from runner.model.batch_report import BatchReport, Evidence, ReportParts, ReportTask
from runner.report.batch_formats import FORMATS
from runner.report.cells import readable
from tests.unit.report.batches import LONG, SHARP, attempt, evidence, parts, task

SKIPPED = task(
    2,
    name="never",
    state="skipped",
    ok=False,
    attempts=(attempt(state="skipped", outcome="", ok=False, run="", reason="it needs x", tries=()),),
    evidence=(Evidence(attempt=1),),
)


def told(form: str, batch: ReportParts) -> str:
    return "".join(FORMATS[form](batch))


def tokens_of(markdown: str) -> list[Token]:
    """As GitHub reads it: tables are known, HTML is HTML, and bare addresses are links."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    return [inner for token in parser.parse(markdown) for inner in (token, *(token.children or ()))]


@pytest.mark.parametrize("text", [LONG, SHARP, "a|b\\|c`d``e"])
def test_in_markdown_an_agents_text_is_code_and_nothing_else(text: str) -> None:
    found = tokens_of(told("md", parts(task(1, text), task(2, text))))
    kinds = {token.type for token in found}
    assert not kinds & {"html_block", "html_inline", "image", "link_open", "blockquote_open", "s_open", "em_open"}
    assert {token.info for token in found if token.type == "fence"} <= {"text", "diff"}
    prose = " ".join(token.content for token in found if token.type == "text")
    for piece in ("@someone", "alert", "http", "example", "|", "\x1b", "\u202e"):
        assert piece not in prose, piece
    rows = [token for token in found if token.type == "tr_open"]
    assert len(rows) == 3, "no text ends a row or begins one"
    assert sum(token.type == "td_open" for token in found) == 22
    diffs = [token.content for token in found if token.type == "fence" and token.info == "diff"]
    assert diffs == [f"diff --git a/x b/x\n{readable(f'+{text}')}\n{readable(f'-{text}')}".rstrip("\n") + "\n"] * 2


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("`|\\~<>![]()#\n\r\t @=\x00\u2028a"), max_size=16))
def test_no_text_gets_out_of_its_place_in_markdown(text: str) -> None:
    found = tokens_of(told("md", parts(task(1, text))))
    assert not {token.type for token in found} & {"html_block", "html_inline", "image", "link_open", "hr"}
    assert sum(token.type == "td_open" for token in found) == 11
    headings = [token.tag for token in found if token.type == "heading_open"]
    assert headings.count("h1") == 1
    assert headings.count("h2") == 2


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", '"=1', "'=1", "\uff1d1", "a;=1", "x; @y"]
)
def test_no_cell_of_a_table_is_a_formula(text: str) -> None:
    batch = parts(task(name=text, repo=text, agent=text, tags=(text,), attempts=(attempt(reason=text),)))
    (row,) = list(csv.DictReader(io.StringIO(told("csv", batch), newline="")))
    for name in ("task", "repository", "agent", "tags", "reason"):
        assert not re.search('(^|;)[ "]*[=+@\uff1d\t\r-]', row[name]), (name, row[name])
        assert row[name].replace("'", "").endswith(text.strip("\t\r").replace("'", "")), "nothing is lost"


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_a_table_has_one_line_for_each_attempt_whatever_is_in_its_cells(texts: list[str]) -> None:
    batch = parts(*(task(number, text) for number, text in enumerate(texts)))
    rows = list(csv.reader(io.StringIO(told("csv", batch), newline="")))
    assert len(rows) == len(texts) + 1
    assert {len(row) for row in rows} == {len(rows[0])}
    assert told("csv", batch).count("\r\n") == len(rows), "no cell has a line end"


@pytest.mark.parametrize("text", [LONG, SHARP])
def test_junit_can_be_read_whatever_an_agent_wrote(text: str) -> None:
    root = ET.fromstring(told("junit", parts(task(1, text), SKIPPED)).encode())  # noqa: S314 - our own
    tags = {each.tag for each in root.iter()}
    assert tags <= {"testsuites", "testsuite", "testcase", "properties", "property", "failure", "skipped", "system-out"}
    said = [each.text for each in root.findall("testsuite/system-out")]
    assert said == [readable(text).replace("\ufffe", "\\ufffe")]
    counts = {name: int(root.get(name, "")) for name in ("tests", "failures", "errors", "skipped")}
    cases = list(root.iter("testcase"))
    assert counts == {
        "tests": len(cases),
        "failures": len(list(root.iter("failure"))),
        "errors": 0,
        "skipped": 1,
    }
    assert root.find(".//skipped") is not None


def test_json_is_the_documented_model_and_keeps_texts_as_they_were() -> None:
    batch = parts(task(1, LONG.replace("\r", "")), SKIPPED)
    report = BatchReport.model_validate_json(told("json", batch))
    assert report.tasks == tuple(batch.tasks)
    assert report.totals == batch.head.totals


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_tells_the_same_facts_and_marks_the_chosen_attempt(form: str) -> None:
    both = (attempt(1, chosen=False, branch="paddock/first"), attempt(2, branch="paddock/second", chosen=True))
    batch = parts(task(1, attempts=both, evidence=(evidence(1), evidence(2)), stands=1), SKIPPED)
    text = told(form, batch)
    for fact in ("task 1", "never", "/repos/api", "claude", "paddock/second", "it needs x", "evil.example", "passed"):
        assert fact in text, fact
    marks = {
        "json": '"attempt":2,"state":"done","outcome":"completed","ok":true,"chosen":true',
        "csv": '"task 1","2","yes"',
    }
    assert marks.get(form, "attempt 2 of 2, chosen") in text


class Large:
    """Tasks with a long patch each, made only when they are asked for."""

    def __iter__(self) -> Iterator[ReportTask]:
        patch = "diff --git a/x b/x\n" + f"+{'new' * 40}\n-{'old' * 40}\n" * 250
        return (task(number, evidence=(evidence(diff=patch),)) for number in range(100))


@pytest.mark.parametrize("form", FORMATS)
def test_a_report_is_made_piece_by_piece_and_is_never_in_memory_as_a_whole(form: str) -> None:
    batch = replace(parts(task()), tasks=Large())
    tracemalloc.start()
    try:
        size = sum(len(piece) for piece in FORMATS[form](batch))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**21
    if form in {"html", "md", "json"}:
        assert size > 4 * 2**20, "the patches are in it"
