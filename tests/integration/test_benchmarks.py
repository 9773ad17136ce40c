"""The benchmarks run from end to end, small; of their targets only the one is asserted that no noise can change."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli import ROOT

pytestmark = pytest.mark.docker


def measured(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`python -m benchmarks` with this checkout as the command `paddock`."""
    paddock = folder / "paddock"
    paddock.write_text("#!" + sys.executable + "\nfrom runner.cli.app import main\nmain()\n")
    paddock.chmod(0o755)
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", "--paddock", str(paddock), *words],
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_paddock_stays_small_while_much_output_goes_through_it(tmp_path: Path) -> None:
    done = measured(tmp_path, "memory", "--output", "64MiB")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "peak memory with 64MiB of output" in done.stdout


def test_a_run_is_measured_beside_its_floor(tmp_path: Path) -> None:
    done = measured(tmp_path, "run", "--rounds", "1")
    assert "paddock run REPO -- true / its floor" in done.stdout, done.stderr
    assert done.returncode == int("MISSED" in done.stdout)


@pytest.mark.timeout(400)  # squid is built on the way
def test_a_network_is_measured_beside_squid_and_plain_loopback(tmp_path: Path) -> None:
    done = measured(tmp_path, "network", "--rounds", "1", "--at-once", "3")
    assert "one tunnel: Paddock / squid" in done.stdout, done.stderr
    assert re.search(r"of 3 runs at once in mode allow, failed +0 +target 0 +ok", done.stdout), done.stdout
    assert done.returncode == int("MISSED" in done.stdout)
