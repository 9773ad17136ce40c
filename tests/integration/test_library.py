"""The library's documented example, carried out by a real engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli import ROOT, Paddock, branches

EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EXAMPLES = EXAMPLE.findall((ROOT / "docs" / "library.md").read_text())

pytestmark = pytest.mark.docker


def carried_out(example: str, paddock: Paddock, folder: Path) -> tuple[Path, list[str]]:
    """The sample repository and what a program beside it printed."""
    sample = folder / "calculator"
    subprocess.run([str(ROOT / ".ci" / "sample"), str(sample)], check=True)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        check=False,
        cwd=folder,
        env=paddock.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return sample, done.stdout.splitlines()


def test_the_documented_example_does_what_it_says(paddock: Paddock, tmp_path: Path) -> None:
    sample, lines = carried_out(EXAMPLES[0], paddock, tmp_path)
    (branch,) = branches(sample)
    assert f"completed {branch}" in lines
    assert [line.split(":")[0] for line in lines[: lines.index(f"completed {branch}")]] == [
        *("workspace", "sandbox", "agent", "stop", "collect", "gates", "import", "report")
    ]
    assert "+        self.assertEqual(add(2, 3), 5)" in lines


def test_the_documented_batch_does_what_it_says(paddock: Paddock, tmp_path: Path) -> None:
    sample, lines = carried_out(EXAMPLES[1], paddock, tmp_path)
    first, second = branches(sample)
    assert sorted(line.split(":")[0] for line in lines[:2]) == ["calculator", "calculator-2"]
    told = [line.split() for line in lines[2:]]
    assert [words[:2] + words[3:] for words in told] == [
        ["calculator", "completed", "1"],
        ["calculator-2", "completed", "1"],
    ]
    assert sorted(words[2] for words in told) == [first, second]


@pytest.mark.parametrize("example", EXAMPLES, ids=["run", "batch"])
def test_the_documented_examples_are_typed(example: str, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(example)
    argv = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(tmp_path / "cache"),
        str(tmp_path / "example.py"),
    ]
    done = subprocess.run(argv, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
