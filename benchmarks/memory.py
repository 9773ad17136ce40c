"""Paddock's own peak memory in a run: with a silent agent, and while a flood of output goes through it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from typing import Any

from benchmarks.measure import Finding, users_environment
from benchmarks.place import Place
from runner.model.quantities import format_size

MB = 1000**2
TARGET = 100
SPARE = 1024**3
LINE = "x" * 999
"""Long enough that the engine, which handles each line by itself, is not all that is measured."""
POLICY = """\
description = "The default, with room for the benchmark's output."
extends = "offline"

[limits]
output = "{size}B"
"""


def measure_memory(place: Place, output: int) -> list[Finding]:
    """Two peaks in MB. Paddock waits for its git processes, so a larger one of these would count instead."""
    quiet, _ = peak_of(place, "--", "true")
    policy = place.folder / "loud.toml"
    policy.write_text(POLICY.format(size=output + 1024**2))
    if shutil.disk_usage(place.folder).free < output + SPARE:
        raise SystemExit(f"{place.folder} has too little room for {format_size(output)} of output; set TMPDIR")
    script = f"yes '{LINE}' 2>/dev/null | head -c {output}"
    loud, result = peak_of(place, "--policy", str(policy), "--", "sh", "-c", script)
    if (printed := result["limits"]["output"]["peak"]) != output:
        raise SystemExit(f"Of {output} bytes of output {printed:.0f} went through: nothing was measured.")
    speed = output / MB / result["timings"]["agent"]
    return [
        Finding(name="peak memory of paddock run REPO -- true", value=quiet / MB, target=TARGET, unit="MB"),
        Finding(
            name=f"peak memory with {format_size(output)} of output",
            value=loud / MB,
            target=TARGET,
            unit="MB",
            detail=f"{speed:.0f} MB/s",
        ),
    ]


def peak_of(place: Place, *words: str) -> tuple[int, dict[str, Any]]:
    """Bytes of the largest resident set of one `paddock run` and what it waited for, and the run's result document."""
    with tempfile.TemporaryFile(dir=place.folder) as document:
        process = subprocess.Popen(
            [str(place.paddock), "run", str(place.repository), "--json", *words],
            stdin=subprocess.DEVNULL,
            stdout=document,
            stderr=subprocess.DEVNULL,
            env={**users_environment(), **place.environment},
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"paddock run {' '.join(words)} ended with {process.returncode}")
        document.seek(0)
        return usage.ru_maxrss * 1024, json.loads(document.read())
