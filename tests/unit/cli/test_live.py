"""The view of an agent at work: whole lines, totals in place on a terminal, and no control code anywhere else."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
from collections.abc import Iterator
from typing import TextIO

import pytest

from runner.cli.live import ASIDE, ERASE, MOST_HELD, LiveView
from runner.cli.playing import Player
from runner.model.activity import Activity, Answered, Edited, Progress, Said, ToolUsed, Trouble

RECORDED: list[Activity] = [
    Said(text="I look at the test."),
    ToolUsed(name="Bash", detail="make test"),
    Edited(path="src/x.py"),
    Trouble(text="overloaded"),
]
SHOWN = ["  I look at the test.", "    $ make test", "    edit src/x.py", "    ! overloaded"]


def progress(tokens: int = 12_345, seconds: float = 1) -> Progress:
    return Progress(tokens=tokens, cost_usd=0.42, seconds=seconds, left=2501)


class Pipe:
    """A stream that is no terminal."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self._bytes = io.BytesIO()
        self.stream = io.TextIOWrapper(self._bytes, encoding=encoding)

    def text(self) -> str:
        return self._bytes.getvalue().decode()


class Terminal:
    """A pseudo-terminal, and what was written to it."""

    def __init__(self, columns: int) -> None:
        self._ours, theirs = pty.openpty()
        settings = termios.tcgetattr(theirs)
        settings[1] &= ~termios.OPOST
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        self.stream: TextIO = os.fdopen(theirs, "w", encoding="utf-8")
        self.resize(columns)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def written(self) -> str:
        self.stream.flush()
        return os.read(self._ours, 65536).decode()

    def close(self) -> None:
        self.stream.close()
        os.close(self._ours)


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal(80)
    yield made
    made.close()


def plain(text: str) -> str:
    """Without colours."""
    for code in ("\x1b[0m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[36m"):
        text = text.replace(code, "")
    return text


def test_without_a_terminal_there_are_plain_lines(pipe: Pipe) -> None:
    view = LiveView(pipe.stream, fancy=False)
    view.say("agent started")
    for activity in RECORDED:
        view.activity(activity)
    assert pipe.text().splitlines() == ["paddock: agent started", *SHOWN]


def test_without_a_terminal_totals_are_lines_now_and_then(pipe: Pipe) -> None:
    view = LiveView(pipe.stream, fancy=False)
    for second in range(120):
        view.activity(progress(tokens=100 + second, seconds=second))
    assert pipe.text().splitlines() == ["paddock: 160 tokens, $0.42, 41 min left"]


def test_the_next_round_begins_to_count_anew(pipe: Pipe) -> None:
    view = LiveView(pipe.stream, fancy=False)
    view.activity(progress(tokens=30_000, seconds=50))
    view.rest()
    view.activity(progress(tokens=31_000, seconds=51))
    assert pipe.text().count("tokens") == 2


def test_on_a_terminal_the_totals_stay_below_and_are_drawn_anew(terminal: Terminal) -> None:
    view = LiveView(terminal.stream, fancy=True)
    totals = "12.3k tokens, $0.42, 41 min left"
    view.activity(progress())
    assert plain(terminal.written()) == totals
    view.activity(RECORDED[1])
    assert plain(terminal.written()) == f"{ERASE}    $ make test\n{totals}"
    view.activity(progress())
    assert plain(terminal.written()) == f"{ERASE}{totals}"
    view.rest()
    assert plain(terminal.written()) == ERASE
    view.say("agent ended")
    assert plain(terminal.written()) == "paddock: agent ended\n"


@pytest.mark.parametrize("columns", [1, 5, 13, 20, 33, 80])
def test_totals_never_fill_a_line_however_narrow_the_window_becomes(terminal: Terminal, columns: int) -> None:
    view = LiveView(terminal.stream, fancy=True)
    view.activity(progress())
    terminal.written()
    terminal.resize(columns)
    view.activity(progress())
    assert len(plain(terminal.written()).removeprefix(ERASE)) < columns


def test_words_are_wrapped_to_the_window(terminal: Terminal) -> None:
    terminal.resize(30)
    LiveView(terminal.stream, fancy=True).activity(Said(text="one two three four five six seven"))
    assert plain(terminal.written()) == "  one two three four five six\n  seven\n"


def test_no_line_of_an_agent_looks_like_ours_or_steers_the_terminal(terminal: Terminal) -> None:
    view = LiveView(terminal.stream, fancy=True)
    bad = "x" * 78 + " paddock: done\npaddock: done\r\x1b[2Jpaddock: done\u202e"
    view.activity(Said(text=bad))
    view.aside(2, f"{bad}\n{'y' * 200}\n".encode())
    lines = plain(terminal.written()).split("\n")
    assert [line for line in lines if line and not line.startswith("  ")] == []
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in "".join(lines)


def test_what_an_agent_writes_to_stderr_comes_in_whole_lines(pipe: Pipe) -> None:
    view = LiveView(pipe.stream, fancy=False)
    view.aside(2, "wa\u00e9".encode()[:-1])
    view.aside(2, "\u00e9".encode()[1:] + b"it\r\nfor")
    assert pipe.text() == f"{ASIDE}wa\u00e9it\n"
    view.rest()
    assert pipe.text() == f"{ASIDE}wa\u00e9it\n{ASIDE}for\n"


def test_a_line_without_an_end_is_not_held_for_ever(pipe: Pipe) -> None:
    view = LiveView(pipe.stream, fancy=False)
    view.aside(2, b"x" * (MOST_HELD + 1))
    assert pipe.text().count("x") == MOST_HELD + 1


def test_colours_are_written_where_they_are_wanted_alone(pipe: Pipe) -> None:
    fancy = Pipe()
    for activity in RECORDED:
        LiveView(fancy.stream, fancy=True).activity(activity)
        LiveView(pipe.stream, fancy=False).activity(activity)
    assert "\x1b[" in fancy.text()
    assert plain(fancy.text()) == pipe.text()


def test_letters_that_a_stream_cannot_write_are_spelled_out() -> None:
    narrow = Pipe("ascii")
    LiveView(narrow.stream, fancy=False).activity(Said(text="\u00e9"))
    assert narrow.text() == "  \\xe9\n"


def test_a_reader_that_has_gone_is_told_once_and_does_no_harm_at_the_end() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        view = LiveView(stream, fancy=False)
        with pytest.raises(BrokenPipeError):
            view.say("one")
        view.say("two")


def test_a_kept_activity_is_shown_however_it_is_cut(pipe: Pipe) -> None:
    words = Said(text="Fixed.")
    kept = [*RECORDED, words, Answered(text="Fixed.\n"), Answered(text="All of it.")]
    data = b"".join(each.model_dump_json().encode() + b"\n" for each in kept)
    player = Player(pipe.stream, fancy=False)
    for start in range(0, len(data), 7):
        player.feed(data[start : start + 7])
    player.feed(b'nonsense\n{"kind": "other"}\n\xff\n{"kind": "said", "text": "cut')
    assert pipe.text().splitlines() == [*SHOWN, "  Fixed.", "  All of it."]
