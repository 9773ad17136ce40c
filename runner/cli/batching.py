"""`paddock batch plan`, `run`, `resume` and `retry`."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from runner.batch.assembly import assemble
from runner.batch.beginning import add_batch, digest_of, take_over
from runner.batch.carry import Audience, Stops, carry_batch
from runner.batch.check import build_images, check_batch, clone_all, room_of, urls_in
from runner.batch.conductor import Rules
from runner.cli.batch_status import batch_document, summary_of, task_states
from runner.cli.batch_tables import plan_document, plan_lines
from runner.cli.batch_view import view_of
from runner.cli.console import Console
from runner.cli.running import cancellation_by_signals, host_of
from runner.cli.templates import own_templates
from runner.cli.terminal import answer, answer_json, say
from runner.errors import RefusedError, UsageError
from runner.escape import escape_text
from runner.model.batch import Batch, BatchOptions
from runner.model.result import EXIT_CODES, EXIT_TASKS_FAILED, Outcome
from runner.repo.urls import is_url
from runner.run.cancellation import Cancellation
from runner.run.cleaning import sweep
from runner.run.host import Host
from runner.settings import load_settings
from runner.store.batch_files import BatchSource, read_batch, repos_from
from runner.store.batches import ENDED, RUNNING, Batches, BatchRow
from runner.store.ledger import Ledger
from runner.store.owner import owner_alive

BATCH_FILES = frozenset({".toml", ".jsonl"})
FOR_LISTS = ("prompt_file", "agent", "model", "policy", "image", "check")


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a batch is made of, as the command line says."""

    file: Path | None = None
    repos_from: Path | None = None
    prompt_file: Path | None = None
    agent: str = ""
    model: str = ""
    policy: str = ""
    image: str = ""
    check: str = ""


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How it is carried out; `None` was not given."""

    jobs: int | None = None
    fail_fast: bool | None = None
    max_cost: float | None = None

    def over(self, options: BatchOptions) -> BatchOptions:
        """The options with what was given."""
        given = {"jobs": self.jobs, "fail_fast": self.fail_fast, "max_cost": self.max_cost}
        return options.model_copy(update={name: value for name, value in given.items() if value is not None})


def plan_batch(given: Given, *, as_json: bool) -> None:
    """Check everything, and show the table."""
    host = batch_host(Cancellation())
    batch = batch_of(given, host)
    demands = check_batch(batch, host, own_templates())
    room = room_of(batch.bounds, host.engine.facts())
    if as_json:
        answer_json(plan_document(batch, demands))
        return
    for line in plan_lines(batch, demands, room):
        answer(line)


def run_batch(given: Given, changes: Changes, *, new: bool, quiet: bool, as_json: bool) -> int:
    """Check everything, make a batch of it and carry it out; the exit code."""
    with cancellation_by_signals() as cancellation, cancellation.interrupting():
        host = batch_host(cancellation)
        try:
            batch = batch_of(given, host)
            with Batches(host.ledger) as batches:
                look_back(batch, batches, new=new)
                host = clone_all(urls_in(batch), host)
                demands = check_batch(batch, host, own_templates())
                build_images(batch, host)
                options = changes.over(BatchOptions(bounds=batch.bounds))
                identifier = add_batch(batch, demands, options, batches, host.clock)
        except KeyboardInterrupt:
            say("nothing was started")
            return EXIT_CODES[Outcome.CANCELLED]
    return carry(identifier, host, quiet=quiet, as_json=as_json)


def resume_batch(  # noqa: PLR0913 - one for each option
    prefix: str,
    changes: Changes,
    *,
    quiet: bool,
    as_json: bool,
    again: Sequence[str] = (),
    named: bool = False,
) -> int:
    """Go on with a batch; with `again`, tasks of these names that did not succeed are made anew. The exit code."""
    with cancellation_by_signals() as cancellation, cancellation.interrupting():
        host = batch_host(cancellation)
        try:
            with Batches(host.ledger) as batches:
                row = batches.find(prefix)
                if row.state == ENDED and not again:
                    raise RefusedError(
                        f"{row.id} is done.", hint=f"`paddock batch retry {row.id}` makes failures anew."
                    )
                chosen = to_retry(row, batches, again, named=named) if again else []
                tell_of_changes(row, host)
                take_over(row, batches)
                batches.set_options(
                    row.id, changes.over(BatchOptions.model_validate_json(row.options)).model_dump_json()
                )
                batches.put_back(row.id, chosen)
                tasks = batches.tasks(row.id)
            with Ledger(host.ledger) as ledger:
                for line in sweep(host.settings.state_dir, ledger, host.engine):
                    say(line)
            host = clone_all({task.repo: task.name for task in tasks if is_url(task.repo)}, host)
        except KeyboardInterrupt:
            say("nothing was started")
            return EXIT_CODES[Outcome.CANCELLED]
    return carry(row.id, host, quiet=quiet, as_json=as_json)


def to_retry(row: BatchRow, batches: Batches, wanted: Sequence[str], *, named: bool) -> list[int]:
    """The tasks that are to be made anew. Raises `RefusedError` when there is none."""
    states = task_states(row.id, batches)
    chosen = [each.task for each in states if each.failed and any(fnmatchcase(each.task.name, glob) for glob in wanted)]
    if not chosen:
        which = f" of those that {' '.join(wanted)} means" if named else ""
        raise RefusedError(
            f"No task of {row.id}{escape_text(which)} has failed or was skipped.",
            hint=f"Look at `paddock batch status {row.id}`.",
        )
    return [task.number for task in chosen]


def carry(identifier: str, host: Host, *, quiet: bool, as_json: bool) -> int:
    """Carry out a batch that is ours, and tell how it ended; the exit code."""
    host = replace(host, cancellation=Cancellation())
    with stopping_by_signals() as stops, Batches(host.ledger) as batches:
        row = batches.find(identifier)
        options = BatchOptions.model_validate_json(row.options)
        room = room_of(options.bounds, host.engine.facts(), jobs=options.jobs)
        rules = Rules(room=room, fail_fast=options.fail_fast, max_cost=options.max_cost)
        with view_of(row.id, quiet=quiet) as view:
            audience = Audience(tell=view.tell, look=view.look)
            carry_batch(row.id, batches, rules, host, own_templates(), stops, audience)
        row = batches.find(identifier)
        states = task_states(row.id, batches)
        if as_json:
            answer_json(batch_document(row, states))
        else:
            for line in summary_of(row, states):
                say(line)
            answer(row.id)
    if row.state != ENDED:
        return EXIT_CODES[Outcome.CANCELLED]
    return EXIT_TASKS_FAILED if any(each.failed for each in states) else 0


def batch_host(cancellation: Cancellation) -> Host:
    """This machine; what agents print goes to their logs, and is not shown."""
    return host_of(load_settings(), Console(stdout_is_taken=True), cancellation)


def batch_of(given: Given, host: Host) -> Batch:
    """The batch that the command line means. Raises `UsageError`, `RefusedError`."""
    return assemble(source_of(given), host.settings, host.home, own_templates())


def source_of(given: Given) -> BatchSource:
    """The file, or the list. Raises `UsageError`, `RefusedError`."""
    for_lists = {name: value for name in FOR_LISTS if (value := getattr(given, name))}
    if given.file is not None and (given.repos_from is not None or for_lists):
        option = "repos_from" if given.repos_from is not None else next(iter(for_lists))
        raise UsageError(
            f"--{option.replace('_', '-')} goes with a list of repositories, not with a file.",
            hint="Write it into the file, under [defaults].",
        )
    if given.file is not None:
        return read_batch(given.file)
    if given.repos_from is None:
        raise UsageError("There is no batch file.", hint="As in: paddock batch plan tasks.toml")
    if given.prompt_file is not None:
        for_lists["prompt_file"] = str(given.prompt_file.expanduser().absolute())
    return repos_from(given.repos_from, for_lists)


def look_back(batch: Batch, batches: Batches, *, new: bool) -> None:
    """Say that a file has changed. Raises `RefusedError` when a batch of the very same is not done."""
    before = batches.newest_of(batch.file)
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


def tell_of_changes(row: BatchRow, host: Host) -> None:
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


@contextmanager
def stopping_by_signals() -> Iterator[Stops]:
    """Ctrl-C, SIGTERM and SIGHUP: once to begin nothing new, twice to stop and collect, three times to kill."""
    stops = Stops()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stops.ask()) for number in numbers}
    try:
        yield stops
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
