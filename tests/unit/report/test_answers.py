"""Answers with a form: what is meant is found, and nothing that an agent writes leads anywhere."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.escape import is_plain
from runner.report.answers import MOST_PATHS, MOST_TEXT, findings, touched_files


def test_the_block_called_paths_is_taken_wherever_it_stands() -> None:
    answer = "Here:\n\n```paths\nsrc/a.py\ndocs/b.md\n```\nAs in:\n```sh\nmake\n```\n"
    assert touched_files(answer) == ("src/a.py", "docs/b.md")


def test_the_last_block_of_that_name_is_the_answer() -> None:
    assert touched_files("```paths\nold\n```\n~~~ paths\nnew\n~~~\n") == ("new",)


def test_without_the_name_the_last_block_is_taken() -> None:
    assert touched_files("```sh\nmake\n```\n```\nsrc/a.py\n```\n") == ("src/a.py",)


def test_a_block_that_was_cut_off_counts() -> None:
    assert touched_files("```paths\nsrc/a.py\nsrc/b.py") == ("src/a.py", "src/b.py")


@pytest.mark.parametrize("answer", ["", "src/a.py", "``\nsrc/a.py\n``", "    ```paths\n    a\n"])
def test_what_is_no_fenced_block_names_no_file(answer: str) -> None:
    assert touched_files(answer) == ()


def test_a_longer_fence_holds_a_shorter_one() -> None:
    assert touched_files("````paths\n```\na\n````\n") == ("a",)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("- src/a.py", "src/a.py"),
        ("* `src/a.py`", "src/a.py"),
        ("./src//a.py", "src/a.py"),
        ("/workspace/src/a.py", "src/a.py"),
        ("a - b/c.txt", "a - b/c.txt"),
        ("src/übung.py", "src/übung.py"),
        ("src/\x1b[31mred", r"src/\x1b[31mred"),
        ("src/\u202egpj.exe", r"src/\u202egpj.exe"),
    ],
)
def test_a_path_is_told_as_it_is_in_the_repository(line: str, path: str) -> None:
    assert touched_files(f"```paths\n{line}\n```") == (path,)


@pytest.mark.parametrize(
    "line", ["/etc/passwd", "~/.ssh/id", "../x", "a/../../x", "..", ".", "", "   ", "/workspace/../etc", "x" * 1025]
)
def test_what_leads_out_or_is_no_path_is_left_out(line: str) -> None:
    assert touched_files(f"```paths\n{line}\nkept\n```") == ("kept",)


def test_each_path_comes_once_and_only_so_many() -> None:
    lines = "\n".join(f"f{number}\nf{number}" for number in range(2 * MOST_PATHS))
    assert touched_files(f"```paths\n{lines}\n```") == tuple(f"f{number}" for number in range(MOST_PATHS))


def test_of_an_endless_answer_the_end_is_read() -> None:
    assert touched_files("x\n" * MOST_TEXT + "```paths\nend\n```") == ("end",)


PIECES = st.lists(
    st.one_of(
        st.text(max_size=80),
        st.sampled_from(
            ["```", "```paths", "~~~~", "```findings", "none", "high a:1: b", "../..", "\x1b[2J", "\r", ""]
        ),
    ),
    max_size=30,
).map("\n".join)


@given(PIECES)
@example("```paths\n\udcff\n```")
def test_whatever_is_answered_comes_out_plain_and_inside(answer: str) -> None:
    for path in touched_files(answer):
        assert is_plain(path)
        assert not path.startswith(("/", "../"))
    for finding in findings(answer) or ():
        assert is_plain(finding.text)
        assert is_plain(finding.path)


@pytest.mark.parametrize("line", ["~" * 60_000 + "`", "~~~" + " " * 60_000 + "`", "`" * 60_000 + "a`"])
def test_an_answer_is_read_in_no_time_whatever_it_is(line: str) -> None:
    begin = time.monotonic()
    assert touched_files(line) == ()
    assert time.monotonic() - begin < 2
