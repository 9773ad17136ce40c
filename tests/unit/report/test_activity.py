"""What an agent does, as lines: short, indented, escaped; and its totals in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.escape import is_plain
from runner.model.activity import (
    Activity,
    Answered,
    Edited,
    Progress,
    Reported,
    Said,
    SessionNamed,
    ToolUsed,
    Trouble,
)
from runner.report.activity import (
    MOST_WORDS,
    NOTHING_YET,
    activity_lines,
    left_text,
    status_text,
    totals_text,
    worth_telling,
)
from runner.report.cells import CUT, cells


def lines(activity: Activity, width: int = 60) -> list[str]:
    return [line.text for line in activity_lines(activity, width=width)]


def progress(tokens: int = 0, cost: float | None = None, seconds: float = 0, left: float = 60) -> Progress:
    return Progress(tokens=tokens, cost_usd=cost, seconds=seconds, left=left)


@pytest.mark.parametrize(
    ("activity", "shown"),
    [
        (Said(text="I look.\n\n- one\n"), ["  I look.", "", "  - one"]),
        (Said(text="\n "), []),
        (ToolUsed(name="Bash", detail="make test"), ["    $ make test"]),
        (ToolUsed(name="bash", detail="cat <<E\nx\nE"), ["    $ cat <<E ..."]),
        (ToolUsed(name="Bash"), ["    Bash"]),
        (ToolUsed(name="Read", detail="src/x.py"), ["    read src/x.py"]),
        (ToolUsed(name="mcp__a", detail="b"), ["    mcp__a b"]),
        (ToolUsed(name="\x1b[2J", detail="\u202e"), ["    \\x1b[2J \\u202e"]),
        (Edited(path="a\x1b.py"), ["    edit a\\x1b.py"]),
        (Trouble(text="overloaded"), ["    ! overloaded"]),
        (Reported(input=1), []),
        (SessionNamed(id="s"), []),
        (Answered(text="done"), []),
    ],
)
def test_each_kind_has_its_own_look(activity: Activity, shown: list[str]) -> None:
    assert lines(activity) == shown


def test_a_long_command_is_one_line() -> None:
    assert lines(ToolUsed(name="Bash", detail="x" * 500), width=30) == ["    $ " + "x" * 21 + "..."]


def test_long_words_are_cut_with_a_mark() -> None:
    shown = lines(Said(text="line\n" * 200_000))
    assert shown == ["  line"] * MOST_WORDS + [f"  {CUT}"]


HOSTILE = st.text(st.characters(exclude_categories=["Cs"])) | st.text("paddock: \n\r\x1b\x9b\u202e界`", max_size=400)


ACTIVITIES: st.SearchStrategy[Activity] = st.one_of(
    st.builds(Said, text=HOSTILE),
    st.builds(Trouble, text=HOSTILE),
    st.builds(ToolUsed, name=HOSTILE, detail=HOSTILE),
    st.builds(Edited, path=HOSTILE),
)


@given(ACTIVITIES, st.integers(30, 100))
def test_no_line_looks_like_ours_or_steers_the_terminal(activity: Activity, width: int) -> None:
    for line in lines(activity, width):
        assert is_plain(line)
        assert line.startswith("  ") or not line
        assert sum(map(cells, line)) <= width or line.endswith(CUT)


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        (progress(0, 0.0, left=7500), "2 h 05 min left"),
        (progress(12_345, 0.424, left=2501), "12.3k tokens, $0.42, 41 min left"),
        (progress(12_345, None, left=30), "12.3k tokens, cost unknown, 30 s left"),
        (progress(5, 0.0004, left=-3), "5 tokens, $0.0004, 0 s left"),
    ],
)
def test_totals_tell_tokens_cost_and_time(now: Progress, shown: str) -> None:
    assert totals_text(now) == shown


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (32, "12.3k tokens, $0.42, 41 min left"),
        (31, "12.3k tokens, $0.42"),
        (18, "12.3k tokens"),
        (5, "12.3k"),
        (0, ""),
    ],
)
def test_a_narrow_terminal_gets_whole_parts(width: int, shown: str) -> None:
    assert status_text(progress(12_345, 0.42, left=2501), width=width) == shown


@pytest.mark.parametrize(
    ("now", "told", "worth"),
    [
        (progress(19_999, seconds=59), NOTHING_YET, False),
        (progress(20_000, seconds=1), NOTHING_YET, True),
        (progress(0, seconds=60), NOTHING_YET, True),
        (progress(140_000, seconds=20), progress(100_000, seconds=10), False),
        (progress(150_000, seconds=20), progress(100_000, seconds=10), True),
        (progress(30_000, seconds=1), progress(100_000, seconds=10), True),
        (progress(100, seconds=1), progress(100_000, seconds=10), False),
    ],
)
def test_totals_are_told_when_they_changed_by_a_lot_or_after_a_minute(
    now: Progress, told: Progress, worth: bool
) -> None:
    assert worth_telling(now, told) is worth


def test_time_left_is_told_in_two_units_at_most() -> None:
    assert [left_text(seconds) for seconds in (59.9, 60, 3599, 3600, 86_400)] == [
        "59 s", "1 min", "59 min", "1 h 00 min", "24 h 00 min"
    ]  # fmt: skip
