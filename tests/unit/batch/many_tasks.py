"""A process that makes a batch of so many tasks and carries it out; only its runs are played.

Prints, in KiB, its peak memory, and by how much that grew while the batch was carried out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from runner.batch import carry
from runner.batch.assembly import assemble
from runner.batch.beginning import add_batch
from runner.batch.carry import Audience, Stops, carry_batch
from runner.batch.check import Demand, Room
from runner.batch.conductor import Rules
from runner.batch.live import Live
from runner.batch.settled import Settled
from runner.batch.worker import Start
from runner.model.batch import BatchOptions
from runner.run.host import Host
from runner.store.batch_files import read_batch
from runner.store.batches import Batches
from runner.store.runs import run_paths
from tests.unit.run.fake_host import FakeHost

SCRIPT = "exit 0 # " + "a long command; " * 256
"""About 4 KiB."""


def played(start: Start, host: Host, live: Live, _: Path) -> Settled:
    """What `carry_out` does for the batch, without a run."""
    run = start.key.replace("/", "-")
    live.begin_run(run_paths(host.settings.state_dir, run))
    assert SCRIPT in start.work
    return Settled("completed", ok=True, run=run, branch=f"paddock/{run}", commits=1, lines=1, reason="r" * 1024)


def main(folder: Path, tasks: int) -> None:
    """Make the batch, and carry it to its end."""
    setattr(carry, "carry_out", played)  # noqa: B010 - it is only imported there
    fake = FakeHost(folder)
    host, file = fake.host(), folder / "tasks.jsonl"
    words = {"repo": str(fake.repository), "command": ["sh", "-c", SCRIPT]}
    file.write_text(f"{json.dumps(words)}\n" * tasks)
    with Batches(host.ledger) as batches:
        batch = assemble(read_batch(file), host.settings, fake.home, folder)
        demands = [Demand(1.0, 2**20)] * tasks
        identifier = add_batch(batch, demands, BatchOptions(), batches, host.clock)
        rules = Rules(room=Room(cpus=8, memory=2**40, jobs=8, providers={}))
        made, before = memory("VmHWM"), memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
        carry_batch(identifier, batches, rules, host, folder, Stops(), Audience())
        carried = memory("VmHWM")
        done = sum(row.ok for row in batches.attempts(identifier))
    assert done == tasks, done
    print(max(made, carried), carried - before)  # noqa: T201 - for the test


def memory(name: str) -> int:
    """What the kernel says of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
