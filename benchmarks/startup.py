"""`paddock --help` and `paddock ps` against `python -c pass`, and what `--help` must not import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from benchmarks.measure import Finding, call, interleave, ratio, users_environment
from benchmarks.place import Place
from runner.store.ledger import ENDED, RUNNING, Ledger, RunRow
from runner.store.owner import this_process

HELP_TARGET, PS_TARGET = 8, 12
HEAVY = frozenset({"docker", "pydantic"})
UNDER_WAY = 10


def measure_startup(place: Place, rounds: int, runs: int) -> list[Finding]:
    """The three ratios, and how many of the heavy packages `--help` loads."""
    fill_ledger(Path(place.environment["PADDOCK_STATE_DIR"]) / "ledger.db", runs)
    start: Callable[..., Callable[[], str]] = lambda *argv: partial(call, *argv, environment=place.environment)  # noqa: E731
    taken = interleave(
        {
            "pass": start(sys.executable, "-c", "pass"),
            "help": start(place.paddock, "--help"),
            "ps": start(place.paddock, "ps"),
            "ps -a": start(place.paddock, "ps", "-a"),
        },
        rounds,
    )
    floor = taken["pass"]
    loaded = HEAVY & imported(place.paddock, "--help")
    return [
        ratio("paddock --help / python -c pass", taken["help"], floor, HELP_TARGET),
        Finding(name="of docker and pydantic, --help imports", value=len(loaded), target=0, unit=""),
        ratio(f"paddock ps ({runs} runs) / python -c pass", taken["ps"], floor, PS_TARGET),
        ratio(f"paddock ps -a ({runs} runs) / python -c pass", taken["ps -a"], floor, PS_TARGET),
    ]


def imported(command: Path, *words: str) -> set[str]:
    """The top-level packages that a Python command imports, as the interpreter itself reports them."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(command), *words],
        check=True,
        capture_output=True,
        text=True,
        env=users_environment(),
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def fill_ledger(path: Path, runs: int) -> None:
    """A ledger of `runs` runs, one a minute, of which the newest few are still under way in this process."""
    pid, started = this_process()
    now = datetime.now(UTC)
    with Ledger(path) as ledger:
        for number in range(runs):
            under_way = number < UNDER_WAY
            ledger.add(
                RunRow(
                    id=f"{(now - timedelta(minutes=number)):%Y-%m-%d}-run-{number:05}",
                    repo=f"/home/user/repositories/project-{number % 100}",
                    agent="command",
                    policy="offline",
                    created_at=(now - timedelta(minutes=number)).isoformat(),
                    owner_pid=pid,
                    owner_started=started,
                    state=RUNNING if under_way else ENDED,
                    phase="agent" if under_way else "",
                    outcome="" if under_way else "completed",
                    commits=0 if under_way else 1,
                )
            )
