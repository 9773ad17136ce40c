"""The steps of a batch on one host, here and now: begin one, go on with one, carry it out. The commands are these."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from runner.batch.assembly import assemble
from runner.batch.beginning import add_batch, digest_of, take_over
from runner.batch.carry import Audience, Stops, carry_batch
from runner.batch.check import build_images, check_batch, clone_all, room_of, urls_in
from runner.batch.conductor import Rules
from runner.batch.notifying import Notifier, not_notified
from runner.batch.standing import TaskState, task_states
from runner.errors import RefusedError
from runner.escape import escape_text
from runner.model.batch import Batch, BatchOptions
from runner.model.batch_result import BatchResult, TaskEnd
from runner.repo.urls import is_url
from runner.run.cancellation import Cancellation
from runner.run.cleaning import sweep
from runner.run.host import Host
from runner.settings import own_templates
from runner.store.batch_files import read_batch
from runner.store.batches import ENDED, RUNNING, Batches, BatchRow
from runner.store.ledger import Ledger
from runner.store.owner import owner_alive

BATCH_FILES = frozenset({".toml", ".jsonl"})

Say = Callable[[str], None]
"""Called with a line that whoever watches should know."""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How a batch is carried out; `None` was not given."""

    jobs: int | None = None
    fail_fast: bool | None = None
    max_cost: float | None = None

    def over(self, options: BatchOptions) -> BatchOptions:
        """The options with what was given."""
        given = {"jobs": self.jobs, "fail_fast": self.fail_fast, "max_cost": self.max_cost}
        return options.model_copy(update={name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True, kw_only=True)
class Again:
    """Tasks that are to be made anew."""

    tasks: Sequence[str] = ("*",)
    """Names, or globs of names."""
    named: bool = False
    """Whether somebody wrote them."""


def begin_batch(batch: Batch, changes: Changes, host: Host, say: Say, *, new: bool) -> tuple[str, Host]:
    """Check everything, fetch and build what is needed, and write the batch down as this process's own.

    Its id, and the host to carry it out on. Raises `RefusedError` with every fault; then nothing was started.
    """
    with Batches(host.ledger) as batches:
        look_back(batch, batches, say, new=new)
        host = clone_all(urls_in(batch), host)
        demands = check_batch(batch, host, own_templates())
        build_images(batch, host)
        options = changes.over(BatchOptions(bounds=batch.bounds))
        return add_batch(batch, demands, options, batches, host.clock), host


def go_on_with(prefix: str, changes: Changes, host: Host, say: Say, again: Again | None = None) -> tuple[str, Host]:
    """Own a batch that was stopped or whose process died; with `again`, tasks that did not succeed are made anew.

    Its id, and the host to carry it out on. Raises `RefusedError`, `RunNotFoundError`.
    """
    with Batches(host.ledger) as batches:
        row = batches.find(prefix)
        if row.state == ENDED and not again:
            raise RefusedError(f"{row.id} is done.", hint=f"`paddock batch retry {row.id}` makes failures anew.")
        chosen = to_retry(row, batches, again) if again else []
        tell_of_changes(row, host, say)
        take_over(row, batches)
        batches.set_options(row.id, changes.over(BatchOptions.model_validate_json(row.options)).model_dump_json())
        batches.put_back(row.id, chosen)
        tasks = batches.tasks(row.id)
    with Ledger(host.ledger) as ledger:
        for line in sweep(host.settings.state_dir, ledger, host.engine):
            say(line)
    return row.id, clone_all({task.repo: task.name for task in tasks if is_url(task.repo)}, host)


def to_retry(row: BatchRow, batches: Batches, again: Again) -> list[int]:
    """The tasks that are to be made anew. Raises `RefusedError` when there is none."""
    states = task_states(row.id, batches)
    chosen = [each for each in states if each.failed and any(fnmatchcase(each.task.name, glob) for glob in again.tasks)]
    if not chosen:
        which = f" of those that {' '.join(again.tasks)} means" if again.named else ""
        raise RefusedError(
            f"No task of {row.id}{escape_text(which)} has failed or was skipped.",
            hint=f"Look at `paddock batch status {row.id}`.",
        )
    return [each.task.number for each in chosen]


def carry_on(
    identifier: str, host: Host, stops: Stops, audience: Audience, notifier: Notifier = not_notified
) -> BatchResult:
    """Carry out a batch that is ours, until all is done or it was stopped. Raises `StoreError`."""
    host = replace(host, cancellation=Cancellation())
    with Batches(host.ledger) as batches:
        row = batches.find(identifier)
        options = BatchOptions.model_validate_json(row.options)
        room = room_of(options.bounds, host.engine.facts(), jobs=options.jobs)
        rules = Rules(room=room, fail_fast=options.fail_fast, max_cost=options.max_cost)
        with notifier(identifier, batches, host, audience) as heard:
            carry_batch(identifier, batches, rules, host, own_templates(), stops, heard)
        return result_of(batches.find(identifier), task_states(identifier, batches))


def result_of(row: BatchRow, states: Sequence[TaskState]) -> BatchResult:
    """What the ledger says of a batch that nobody carries out any more."""
    return BatchResult(
        id=row.id,
        state=row.state,
        why=row.why,
        file=row.file,
        created_at=row.created_at,
        ended_at=row.ended_at,
        tasks=tuple(map(end_of, states)),
    )


def end_of(state: TaskState) -> TaskEnd:
    """One task of it."""
    task, best = state.task, state.best
    return TaskEnd(
        name=task.name,
        repo=task.repo,
        agent=task.agent,
        state=state.word,
        ok=state.ok,
        failed=state.failed,
        reason=best.reason,
        check=best.check,
        run=best.run,
        branch=best.branch,
        commits=best.commits,
        cost_usd=state.cost_usd,
        tries=state.tries,
        needs=json.loads(task.needs),
        tags=json.loads(task.tags),
    )


def look_back(batch: Batch, batches: Batches, say: Say, *, new: bool) -> None:
    """Say that a file has changed. Raises `RefusedError` when a batch of the very same is not done."""
    before = batches.newest_of(batch.file) if batch.file else None
    if before is None or before.state == ENDED:
        return
    if before.digest != digest_of(batch):
        say(f"{escape_text(batch.file)} has changed since {before.id}, which is not done: this is a new batch")
        return
    if not new:
        working = before.state == RUNNING and owner_alive(before)
        raise RefusedError(
            f"{before.id} is a batch of the very same tasks, and it is {'at work' if working else 'not done'}.",
            hint=f"Go on with it: `paddock batch resume {before.id}`; or begin another one with --new.",
        )


def tell_of_changes(row: BatchRow, host: Host, say: Say) -> None:
    """Say that a batch goes on as it was, where its file is another one by now."""
    file = Path(row.file)
    if file.suffix not in BATCH_FILES:  # a list of repositories: what else it was made with stood on the command line
        return
    try:
        same = digest_of(assemble(read_batch(file), host.settings, host.home, own_templates())) == row.digest
    except RefusedError:
        same = False
    if not same and file.exists():
        shown = escape_text(row.file)
        say(f"{shown} has changed since; {row.id} goes on as it was, and `paddock batch run` makes a new one")
