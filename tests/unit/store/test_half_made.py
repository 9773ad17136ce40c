"""A run directory in the making is told from one whose maker died."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from runner.store.half_made import YOUNG, being_made, nobody_makes

HOLDS = """
import sys, time
from pathlib import Path
from runner.store.half_made import being_made
with being_made(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def old(folder: Path) -> Path:
    """A directory that is older than one whose maker does not hold it yet."""
    folder.mkdir()
    time.sleep(YOUNG + 0.1)
    return folder


def test_a_directory_is_being_made_until_its_maker_lets_go_or_dies(tmp_path: Path) -> None:
    folder = old(tmp_path / "run")
    argv = [sys.executable, "-c", HOLDS, str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.getcwd()}) as maker:  # noqa: PTH109
        assert maker.stdout is not None
        maker.stdout.readline()
        held = nobody_makes(folder)
        maker.kill()
        maker.wait()
    assert (held, nobody_makes(folder)) == (False, True)
    with being_made(folder):
        assert not nobody_makes(folder)
    assert nobody_makes(folder)


def test_a_directory_that_is_just_there_may_be_held_in_a_moment(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert not nobody_makes(tmp_path / "run")


def test_what_is_no_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(old(tmp_path / "run"))
    assert not nobody_makes(tmp_path / "link")
    assert not nobody_makes(tmp_path / "missing")
