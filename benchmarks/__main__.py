"""`python -m benchmarks`: measure, print each number beside its target, end with 1 when a target is missed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.batch import measure_batch
from benchmarks.batch_memory import measure_batch_memory
from benchmarks.batch_peers import measure_peers
from benchmarks.collecting import measure_collection
from benchmarks.first_request import measure_first_request
from benchmarks.measure import Finding
from benchmarks.memory import measure_memory
from benchmarks.network import measure_network
from benchmarks.one_run import measure_run
from benchmarks.place import Place, installed_paddock, working_place
from benchmarks.startup import measure_startup
from runner.model.quantities import parse_size

Part = Callable[[Place, argparse.Namespace], list[Finding]]

PARTS: dict[str, Part] = {
    "startup": lambda place, asked: measure_startup(place, asked.rounds, asked.runs),
    "run": lambda place, asked: measure_run(place, asked.rounds),
    "batch": lambda place, asked: [*measure_batch(place, max(1, asked.rounds // 3)), *measure_batch_memory(place)],
    "peers": lambda place, asked: measure_peers(place, max(1, asked.rounds // 3)),
    "collection": lambda place, asked: measure_collection(place, asked.rounds),
    "memory": lambda place, asked: measure_memory(place, asked.output),
    "agent": lambda place, asked: measure_first_request(place, asked.rounds),
    "network": lambda place, asked: measure_network(place, asked.rounds, asked.at_once),
}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Paddock against its floor.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all of them by default")
    parser.add_argument("--rounds", type=int, default=9, help="how often each command is timed, after a warm-up")
    parser.add_argument("--runs", type=int, default=10_000, help="how many runs the ledger holds")
    parser.add_argument("--at-once", type=int, default=200, help="how many runs with a network there are at one time")
    parser.add_argument("--output", type=parse_size, default="5GiB", help="how much an agent prints, as in 64MiB")
    parser.add_argument("--paddock", type=Path, default=installed_paddock(), help="the command that is measured")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return asked


def main() -> int:
    """0 when every target is met."""
    asked = arguments()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs", flush=True)
    missed = False
    with working_place(asked.paddock) as place:
        for name in asked.parts or PARTS:
            for finding in PARTS[name](place, asked):
                print(finding.line(), flush=True)
                missed |= not finding.met
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
