"""Where a CI system reads along, nothing that a sandbox wrote is a command to it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.ci_log import CommandBreaker, json_without_commands

ROOT = Path(__file__).parents[3]
MARKS = r"##[A-Za-z]{0,20}\[|section_(start|end):"
PIECES = st.lists(
    st.sampled_from(
        [
            b"section_",
            b"start",
            b"::",
            b":",
            b"#",
            b"##",
            b"vso",
            b"[",
            b"##vso[",
            b"\n",
            b"\r",
            b" ",
            b"\xc2\xa0",
            b"x",
            b"\0",
        ]
    ),
    max_size=30,
)


def obeyed(log: bytes) -> list[str]:
    """Lines that one of the systems would take for a command, by the rules of their readers."""
    lines = [line.decode("utf-8", "replace") for line in re.split(rb"[\r\n]", log)]
    return [line for line in lines if line.strip().startswith("::") or re.search(MARKS, line)]


def through(*pieces: bytes) -> bytes:
    breaker = CommandBreaker()
    return b"".join(breaker.feed(piece) for piece in pieces)


@given(PIECES)
def test_no_command_comes_through(pieces: list[bytes]) -> None:
    assert obeyed(through(*pieces)) == []


@given(PIECES)
def test_nothing_but_spaces_is_added_and_it_does_not_matter_how_output_is_cut(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert through(*pieces) == through(whole) == through(*(bytes([each]) for each in whole))
    assert through(whole).replace(b" ", b"") == whole.replace(b" ", b"")


@pytest.mark.parametrize(
    "text", [b"std::vector", b"a :: b", b"## [x]", b"# title", b"#[derive]", b"x ##\n[", b"Note::\n", b"C::\n: :"]
)
def test_ordinary_text_stays_as_it_is(text: bytes) -> None:
    assert (obeyed(text), through(text)) == ([], text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (b"::add-path::/x", b": :add-path::/x"),
        (b"a\r\n  ::set-env name=A::b\n", b"a\r\n  : :set-env name=A::b\n"),
        ("\u2003::stop-commands::x".encode(), "\u2003: :stop-commands::x".encode()),
        (b"x ##vso[task.setvariable variable=PATH]", b"x ##vso [task.setvariable variable=PATH]"),
        (b"##[add-path]/x", b"## [add-path]/x"),
        (b"##teamcity[setParameter", b"##teamcity [setParameter"),
        (
            b"x section_start:1700000000:hidden[collapsed=true]\r",
            b"x section_start :1700000000:hidden[collapsed=true]\r",
        ),
        (b"section_end:1700000000:hidden\r", b"section_end :1700000000:hidden\r"),
    ],
)
def test_a_command_is_broken_up(text: bytes, shown: bytes) -> None:
    assert obeyed(text) != []
    assert through(text) == shown


@given(
    st.lists(st.sampled_from(["#", "[", ":", "vso", "section_", "start", "\\", '"', "\n", " x"]), max_size=40).map(
        "".join
    )
)
def test_a_json_document_is_the_same_and_holds_no_command(text: str) -> None:
    document = json.dumps({"text": text, text: [text]}, indent=2)
    shown = json_without_commands(document)
    assert json.loads(shown) == json.loads(document)
    assert obeyed(shown.encode()) == []


SAYS = """
import os, sys
from runner.settings import read_by_ci
from runner.cli.ci_log import guard_streams
from runner.cli.terminal import OutputWriter, answer, say
if read_by_ci(): guard_streams()
OutputWriter(stdout_is_taken=False).write(1, b"::agent::x\\n")
OutputWriter(stdout_is_taken=False).write(2, b"##vso[agent]\\n")
OutputWriter(stdout_is_taken=False, is_patch=True).write(1, b" ::patch\\n")
answer("##vso[answer]")
say("##vso[said]")
"""


@pytest.mark.parametrize(
    "variable", ["GITHUB_ACTIONS", "GITEA_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION", "GITLAB_CI", ""]
)
def test_a_log_that_a_ci_system_reads_holds_no_command_but_a_patch_stays_whole(variable: str) -> None:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
    environment |= {variable: "true"} if variable else {}

    done = subprocess.run([sys.executable, "-c", SAYS], env=environment, capture_output=True, check=True)

    if variable:
        assert done.stdout == b": :agent::x\n ::patch\n##vso [answer]\n"
        assert done.stderr == b"##vso [agent]\npaddock: ##vso [said]\n"
    else:
        assert done.stdout == b"::agent::x\n ::patch\n##vso[answer]\n"
        assert done.stderr == b"##vso[agent]\npaddock: ##vso[said]\n"


def test_a_file_is_no_log(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": "/nonexistent",
        "GITHUB_ACTIONS": "true",
    }
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", SAYS], env=environment, stdout=out, stderr=subprocess.PIPE, check=True)
    assert (tmp_path / "out").read_bytes() == b"::agent::x\n ::patch\n##vso[answer]\n"


SPLIT = """
import sys
from runner.cli.ci_log import guard_streams
guard_streams()
out, err = sys.stdout, sys.stderr
for stream, piece in ((out, ":"), (err, ":add-path::/x\\n"), (err, "##vso"), (out, "[x]\\n")):
    stream.write(piece)
    stream.flush()
"""


def test_two_streams_that_are_one_hold_no_command_between_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SPLIT],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    assert done.stdout == b": :add-path::/x\n##vso [x]\n"
