"""Makes a batch out of a file that was put together and checked; and makes this process the owner of one that died."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence

from runner.batch.check import Demand
from runner.clock import Clock, timestamp
from runner.errors import RefusedError
from runner.model.batch import Batch, BatchOptions, Item
from runner.repo.urls import is_url, parse_url
from runner.store.batches import RUNNING, Batches, BatchRow, TaskRow
from runner.store.owner import owner_alive, this_process
from runner.store.run_id import new_run_id


def digest_of(batch: Batch) -> str:
    """`sha256:...` of all that a batch is made of, what its prompt files say included; not of its bounds."""
    digest = hashlib.sha256(b"[")
    for number, item in enumerate(batch.items):  # one by one: the text of all of them may be large
        written = json.dumps(item.model_dump(mode="json", exclude={"place"}), sort_keys=True)
        digest.update(b", " * bool(number) + written.encode())
    digest.update(b"]")
    return "sha256:" + digest.hexdigest()


def add_batch(batch: Batch, demands: Sequence[Demand], options: BatchOptions, batches: Batches, clock: Clock) -> str:
    """Write a new batch down, owned by this process; its id. Raises `StoreError`."""
    stem = batch.file.rsplit("/", 1)[-1].rpartition(".")[0]
    identifier = new_run_id(stem or "batch", clock.now().date(), secrets.randbelow)
    pid, ticks = this_process()
    row = BatchRow(
        id=identifier,
        file=batch.file,
        digest=digest_of(batch),
        options=options.model_dump_json(),
        created_at=timestamp(clock.now()),
        owner_pid=pid,
        owner_started=ticks,
    )
    numbered = enumerate(zip(batch.items, demands, strict=True), 1)
    rows = (
        (row_of(number, item, demand), item.work.model_dump_json(), item.attempts)
        for number, (item, demand) in numbered
    )
    batches.add(row, rows)
    return identifier


def row_of(number: int, item: Item, demand: Demand) -> TaskRow:
    """One task as it is listed."""
    task = item.work.task
    return TaskRow(
        number=number,
        name=item.name,
        repo=parse_url(task.repo).url if is_url(task.repo) else task.repo,
        agent=task.agent,
        provider=demand.provider,
        cpus=demand.cpus,
        memory=demand.memory,
        needs=json.dumps(item.needs),
        tags=json.dumps(item.tags),
    )


def take_over(row: BatchRow, batches: Batches) -> None:
    """Own a batch that nobody carries out. Raises `RefusedError` when somebody does."""
    if row.state == RUNNING and owner_alive(row):
        raise RefusedError(
            f"{row.id} is being carried out by process {row.owner_pid}.",
            hint=f"Look at it with `paddock batch status {row.id}`, or stop it with `paddock batch stop {row.id}`.",
        )
    if not batches.take_over(row, *this_process()):
        raise RefusedError(f"Another Paddock goes on with {row.id}.", hint=f"`paddock batch status {row.id}`")
