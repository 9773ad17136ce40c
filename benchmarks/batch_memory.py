"""The peak memory of the process that carries a batch of a thousand tasks out, when some are done and most wait."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from benchmarks.batch import JOBS, WORK, prepare_batch
from benchmarks.measure import Finding, users_environment
from benchmarks.place import Place

TARGET = 200
TASKS, DONE = 1000, 40
MB = 1000**2


def measure_batch_memory(place: Place) -> list[Finding]:
    """One finding: the largest resident set of the process itself. The batch is stopped when enough is done."""
    prepare_batch(place)
    file = place.folder / "many.toml"
    task = f'[[tasks]]\nrepo = "repo-0"\ncommand = ["sh", "-c", "{WORK} # {"many words " * 200}"]\n'
    file.write_text(f'[defaults]\npolicy = "small.toml"\n[machine]\ncpus = {float(JOBS)}\n{task * TASKS}')
    before = results(place)
    with subprocess.Popen(
        [str(place.paddock), "batch", "run", str(file), "--jobs", str(JOBS), "--quiet"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**users_environment(), **place.environment},
    ) as process:
        try:
            while results(place) - before < DONE:
                if process.poll() is not None:
                    raise SystemExit(f"The batch of {TASKS} tasks ended with {process.returncode}.")
                time.sleep(0.2)
            peak = peak_of(process.pid)
        finally:
            for _ in range(3):  # to begin nothing new, to stop what runs, to kill it
                process.terminate()
                time.sleep(0.5)
    name = f"peak memory of a batch with {TASKS:,} tasks"
    return [Finding(name=name, value=peak / MB, target=TARGET, unit="MB", detail=f"{DONE} of them done")]


def results(place: Place) -> int:
    """How many runs are over."""
    return sum(1 for _ in (place.folder / "state/runs").glob("*/result.json"))


def peak_of(pid: int) -> int:
    """Bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024
