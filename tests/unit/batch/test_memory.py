"""A batch of a thousand tasks takes hardly more memory than one of a hundred."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
MOST = 200_000_000 // 1024
PEAK = 24 * 1024
"""For 900 tasks more, each with 4 KiB of text: while they are read, several copies of it."""
CARRYING = 3 * 1024
"""The same, while they are carried out: what is known of a task that waits, and none of its text."""


def measured(folder: Path, tasks: int) -> tuple[int, int]:
    """KiB: the peak of all of it, and the growth while the batch is carried out."""
    folder.mkdir()
    argv = [sys.executable, "-m", "tests.unit.batch.many_tasks", str(folder), str(tasks)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr
    peak, growth = done.stdout.split()
    return int(peak), int(growth)


def test_a_thousand_tasks_take_hardly_more_memory_than_a_hundred(tmp_path: Path) -> None:
    few, few_growth = measured(tmp_path / "few", 100)
    many, many_growth = measured(tmp_path / "many", 1000)
    assert many < MOST
    assert many - few < PEAK, (few, many)
    assert many_growth - few_growth < CARRYING, (few_growth, many_growth)
