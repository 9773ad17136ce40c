"""The README's example, carried out: every command of it in turn, and what it says has the shape that is shown."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli import Paddock

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHOWN_HOME = "/home/you/calculator"
VARIABLE = (
    (re.compile(r"\d{4}-\d\d-\d\d-([a-z0-9-]+)-[a-z0-9]{4}\b"), r"DAY-\1-XXXX"),
    (re.compile(r"\b[0-9a-f]{7,64}\b"), "HEX"),
    (re.compile(r"\d+\.\d+ ?s\b"), "TIME"),
)

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


def commands() -> list[tuple[str, str]]:
    """Every command that the README shows, in its order, and the output that it shows; make's are CI's own."""
    text = "".join(BLOCK.findall((ROOT / "README.md").read_text()))
    pieces = re.split(r"^\$ (.*)\n", text, flags=re.MULTILINE)[1:]
    return [
        (line, output) for line, output in zip(pieces[::2], pieces[1::2], strict=True) if not line.startswith("make")
    ]


def shape(text: str) -> list[str]:
    """The lines, sorted, with whatever differs from run to run left out: two streams of a container have no order."""
    for pattern, word in VARIABLE:
        text = pattern.sub(word, text)
    return sorted(text.splitlines())


def path_with_paddock(folder: Path) -> str:
    """A PATH on which `paddock` is this checkout, installed or not."""
    folder.mkdir()
    (folder / "paddock").write_text(f'#!/bin/sh\nexec {sys.executable} -m runner "$@"\n')
    (folder / "paddock").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_the_readme_shows_what_really_happens(tmp_path: Path, state_dir: Path) -> None:
    sample = tmp_path / "calculator"
    subprocess.run([str(ROOT / ".ci" / "sample"), str(sample)], check=True)
    environment = {**Paddock(state=state_dir, folder=sample).environment(), "PATH": path_with_paddock(tmp_path / "bin")}
    shown = commands()
    for line, output in shown:
        if "night.toml" in line:
            shutil.copy(ROOT / "docs" / "examples" / "night.toml", sample)
        done = subprocess.run(
            ["bash", "-c", line],
            check=False,
            cwd=sample,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}"
        if output:
            assert shape(done.stdout.replace(str(sample), SHOWN_HOME)) == shape(output), line

    assert [line for line, _ in shown if line.startswith("paddock run . --agent demo")]
    assert "assertEquals(" not in (sample / "test_calculator.py").read_text()
