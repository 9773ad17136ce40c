"""Programs that are told: no shell, no option out of a text, an end in time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runner.notify.desktop import tell_desktop
from runner.notify.programs import tell_program
from tests.unit.notify.test_webhook import MESSAGE

RECORDS = '#!/bin/sh\nprintf "%s\\n" "$@" > "{0}"\n'


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_the_desktop_shows_words_that_are_neither_options_nor_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "notify-send", RECORDS.format(tmp_path / "argv"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    hostile = MESSAGE.model_copy(update={"title": "--icon=/etc/passwd", "text": "<a href='x'>y</a> $(id) `id`"})
    assert tell_desktop(hostile, 5) == ""
    assert (tmp_path / "argv").read_text().splitlines() == [
        "--app-name=Paddock",
        "--urgency=normal",
        "--",
        "--icon=/etc/passwd",
        "&lt;a href='x'&gt;y&lt;/a&gt; $(id) `id`",
    ]


def test_a_program_that_is_not_there_or_fails_is_a_sentence(tmp_path: Path) -> None:
    assert tell_program(["/nowhere/x"], b"", 5) == "/nowhere/x cannot be started: No such file or directory"
    assert tell_program(["false"], b"", 5) == "false ended with 1"
    assert tell_program(["true"], b"x" * 1_000_000, 5) == "", "whoever reads nothing is no failure"


def test_a_program_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    hangs = program(tmp_path / "hangs", f'#!/bin/sh\nsleep 60 &\necho $! > "{pids}"\nwait\n')
    began = time.monotonic()
    assert tell_program([str(hangs)], b"", 0.5) == f"{hangs} took longer than 0.5 s and was killed"
    assert time.monotonic() - began < 5
    child = Path("/proc", pids.read_text().strip(), "stat")
    for _ in range(100):
        if not child.exists() or child.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.02)
    pytest.fail("what it started is still there")
