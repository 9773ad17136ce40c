"""The library's documented example, carried out by a real engine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli import ROOT, Paddock, branches

EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.docker


def test_the_documented_example_does_what_it_says(paddock: Paddock, tmp_path: Path) -> None:
    sample = tmp_path / "calculator"
    subprocess.run([str(ROOT / ".ci" / "sample"), str(sample)], check=True)
    (example,) = EXAMPLE.findall((ROOT / "docs" / "library.md").read_text())

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        check=False,
        cwd=tmp_path,
        env=paddock.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    (branch,) = branches(sample)
    lines = done.stdout.splitlines()
    assert f"completed {branch}" in lines
    assert [line.split(":")[0] for line in lines[: lines.index(f"completed {branch}")]] == [
        *("workspace", "sandbox", "agent", "stop", "collect", "gates", "import", "report")
    ]
    assert "+        self.assertEqual(add(2, 3), 5)" in lines


def test_the_documented_example_is_typed(tmp_path: Path) -> None:
    (example,) = EXAMPLE.findall((ROOT / "docs" / "library.md").read_text())
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
