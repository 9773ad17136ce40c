"""Annotations: each is one command of ours, whatever an agent has chosen to say in it."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from runner.model.result import CheckResult, GateResult, Outcome, Verdict
from runner.report.ci_annotations import MOST, annotations_of
from runner.report.ci_annotations import github_command as command
from tests.unit.report.results import result_with

TEXTS = st.text(alphabet="::%,\n\r\x00\x85\u2028 abc##[]=\x1b", max_size=60)


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """A command by the rules of GitHub's runner (ActionCommand.TryParseV2)."""
    found = re.fullmatch(r"::(?P<name>[a-z-]+)(?: (?P<words>[^:]*?))?::(?P<data>.*)", line)
    assert found, line
    words = dict(word.split("=", 1) for word in (found["words"] or "").split(",") if word)
    return found["name"], {key: unescaped(value) for key, value in words.items()}, unescaped(found["data"])


def unescaped(text: str) -> str:
    for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, character)
    return text


@given(TEXTS, TEXTS, TEXTS)
def test_nothing_leaves_the_place_that_it_is_given(message: str, title: str, file: str) -> None:
    line = command("error", message, title=title, file=file)

    assert len(line.splitlines()) == 1
    assert line.isprintable()
    name, words, _ = parsed(line)
    assert (name, words.keys() <= {"title", "file"}) == ("error", True)


def test_ordinary_text_arrives_as_it_is() -> None:
    text = "100% of a, b: c\nsecond"
    assert parsed(command("error", text, title="a, b: 5%")) == ("error", {"title": "a, b: 5%"}, text)


def test_what_went_well_is_one_notice() -> None:
    (line,) = annotations_of(result_with(branch="paddock/x"))
    name, words, text = parsed(line)
    assert (name, words["title"]) == ("notice", "Paddock: completed")
    assert "Branch: paddock/x" in text


def test_no_changes_where_some_were_expected_is_an_error() -> None:
    (line,) = annotations_of(result_with(outcome=Outcome.NO_CHANGES, exit_code=3))
    assert parsed(line)[:2] == ("error", {"title": "Paddock: no-changes (exit code 3)"})


def test_a_failed_check_shows_the_end_of_what_it_said() -> None:
    output = "".join(f"line {number}\n" for number in range(100))
    check = CheckResult(command="make test", exit_code=2, seconds=1, output=output)
    _, line = annotations_of(result_with(outcome=Outcome.CHECK_FAILED, exit_code=17, check=check))
    _, _, text = parsed(line)
    assert text.startswith("make test\nline 80\n")
    assert text.endswith("line 99")


def test_gates_are_shown_at_their_files_where_these_are_plain() -> None:
    details = (".github/ci.yml (GitHub Actions)", "src/a.py:12: an AWS key", "a b (odd)", "main has 3 commits")
    flagged = GateResult(name="runs-in-ci", verdict=Verdict.FLAGGED, detail=details)
    blocked = GateResult(name="ancestry", verdict=Verdict.BLOCKED, detail=("main does not descend",))

    lines = [parsed(line) for line in annotations_of(result_with(exit_code=20, gates=(flagged, blocked)))]

    assert [line[0] for line in lines] == ["error", "error", "warning", "warning", "warning", "warning"]
    assert lines[2][1] == {"title": "Paddock: runs in CI (runs-in-ci)", "file": ".github/ci.yml"}
    assert (lines[3][1]["file"], lines[3][1]["line"]) == ("src/a.py", "12")
    assert ["file" in line[1] for line in lines[4:]] == [False, False]


def test_more_than_is_shown_is_told() -> None:
    flagged = GateResult(name="names", verdict=Verdict.FLAGGED, detail=tuple(f"f{n}.py (odd)" for n in range(40)))
    lines = list(annotations_of(result_with(gates=(flagged,))))
    assert len(lines) == 1 + MOST + 1
    assert "and 30 more" in lines[-1]
