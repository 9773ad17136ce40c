"""An event stream is read as it comes: kept twice, shown, never able to stop a run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.activity import Activity, Answered, Reported, Said, SessionNamed
from runner.run import follow
from runner.run.follow import Follower


class Words:
    """Every line is something said; `!` ends with an answer, `$` with a report, `@` with a session."""

    def read(self, line: bytes) -> Iterable[Activity]:
        text = line.decode("utf-8", "replace")
        kinds: dict[str, Activity] = {
            "!": Answered(text=text),
            "$": Reported(model="m", input=1, cost_usd=0.5),
            "@": SessionNamed(id=text),
        }
        return [kinds.get(text[-1:], Said(text=text))]


@pytest.fixture
def seen() -> list[object]:
    return []


def follower(folder: Path, seen: list[object]) -> Follower:
    return Follower(Words(), activity=folder / "a.jsonl", transcript=folder / "t.md", watch=seen.append)


def test_lines_are_read_whole_however_they_come(tmp_path: Path, seen: list[object]) -> None:
    with follower(tmp_path, seen) as following:
        for piece in (b"one\ntw", b"o", b"\n\nlast"):
            following.feed(1, piece)
        following.feed(2, b"an error\n")
    assert seen == [Said(text="one"), Said(text="two"), Said(text=""), Said(text="last")]
    assert [json.loads(line)["text"] for line in (tmp_path / "a.jsonl").read_text().splitlines()] == [
        "one", "two", "", "last"
    ]  # fmt: skip
    assert "two" in (tmp_path / "t.md").read_text()


def test_the_last_answer_the_session_and_what_was_used_are_remembered(tmp_path: Path, seen: list[object]) -> None:
    with follower(tmp_path, seen) as following:
        following.feed(1, b"first!\ns@\n$\n$\nsecond!\n")
    assert (following.answer, following.session) == ("second!", "s@")
    assert following.reported == {"m": Reported(model="m", input=2, cost_usd=1.0)}


def test_without_an_answer_it_is_what_was_said_last(tmp_path: Path, seen: list[object]) -> None:
    with follower(tmp_path, seen) as following:
        following.feed(1, b"before\n$\nfirst line\nsecond line\n")
    assert following.answer == "before\nfirst line\nsecond line"


def test_a_line_without_an_end_is_not_kept_in_memory(
    tmp_path: Path, seen: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "MOST_LINE", 10)
    with follower(tmp_path, seen) as following:
        for _ in range(1000):
            following.feed(1, b"x" * 7)
        assert len(following._line) <= 10
        following.feed(1, b"\nafter\n")
    assert seen == [Said(text="after")]


def test_what_is_told_beyond_measure_is_shown_and_not_kept(
    tmp_path: Path, seen: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "MOST_KEPT", 5000)
    with follower(tmp_path, seen) as following:
        for _ in range(1000):
            following.feed(1, b"words\n")
    assert len(seen) == 1000
    assert (tmp_path / "a.jsonl").stat().st_size < 5000


def test_a_watcher_that_has_gone_stops_nothing(tmp_path: Path) -> None:
    def gone(_: object) -> None:
        raise BrokenPipeError

    with Follower(Words(), activity=tmp_path / "a", transcript=tmp_path / "t", watch=gone) as following:
        following.feed(1, b"one\ntwo\nend!\n")
    assert following.answer == "end!"
    assert len((tmp_path / "a").read_text().splitlines()) == 3


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=6))
def test_where_the_pieces_are_cut_makes_no_difference(
    data: bytes, cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole: list[object] = []
    pieces: list[object] = []
    with follower(tmp_path_factory.mktemp("whole"), whole) as following:
        following.feed(1, data)
    with follower(tmp_path_factory.mktemp("pieces"), pieces) as following:
        before = 0
        for cut in [*sorted(cuts), len(data)]:
            following.feed(1, data[before:cut])
            before = max(before, cut)
    assert whole == pieces
