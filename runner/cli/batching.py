"""`paddock batch plan`, `run`, `resume` and `retry`."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.batch.assembly import assemble
from runner.batch.carry import Audience, Stops
from runner.batch.check import check_batch, room_of
from runner.batch.notifying import Notifier, not_notified, notifier_of
from runner.batch.standing import task_states
from runner.cli.batch_status import batch_document, summary_of
from runner.cli.batch_tables import plan_document, plan_lines
from runner.cli.batch_view import view_of
from runner.cli.console import Console
from runner.cli.running import cancellation_by_signals, host_of
from runner.cli.terminal import answer, answer_json, say
from runner.errors import UsageError
from runner.library.batching import Again, Changes, begin_batch, carry_on, go_on_with
from runner.model.batch import Batch
from runner.model.notify_settings import NotifySettings
from runner.model.result import EXIT_CODES, Outcome
from runner.run.cancellation import Cancellation
from runner.run.host import Host
from runner.settings import load_settings, own_templates
from runner.store.batch_files import BatchSource, read_batch, repos_from
from runner.store.batches import Batches

FOR_LISTS = ("prompt_file", "agent", "model", "policy", "image", "check")


@dataclass(frozen=True, kw_only=True)
class Ask:
    """How it is shown and told; `notify` is `None` where nothing was said."""

    quiet: bool = False
    as_json: bool = False
    notify: bool | None = None


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


def run_batch(given: Given, changes: Changes, ask: Ask, *, new: bool) -> int:
    """Check everything, make a batch of it and carry it out; the exit code."""
    return carry(lambda host: begin_batch(batch_of(given, host), changes, host, say, new=new), ask)


def resume_batch(prefix: str, changes: Changes, ask: Ask, again: Again | None = None) -> int:
    """Go on with a batch; with `again`, tasks that did not succeed are made anew. The exit code."""
    return carry(lambda host: go_on_with(prefix, changes, host, say, again), ask)


def carry(begin: Callable[[Host], tuple[str, Host]], ask: Ask) -> int:
    """Begin a batch, carry it out, and tell how it ended; the exit code."""
    notifier = notifier_of_ask(ask)
    with cancellation_by_signals() as cancellation, cancellation.interrupting():
        try:
            identifier, host = begin(batch_host(cancellation))
        except KeyboardInterrupt:
            say("nothing was started")
            return EXIT_CODES[Outcome.CANCELLED]
    with stopping_by_signals() as stops, view_of(identifier, quiet=ask.quiet) as view:
        result = carry_on(identifier, host, stops, Audience(tell=view.tell, look=view.look), notifier)
    with Batches(host.ledger) as batches:
        row, states = batches.find(identifier), task_states(identifier, batches)
    if ask.as_json:
        answer_json(batch_document(row, states))
    else:
        for line in summary_of(row, states):
            say(line)
        answer(row.id)
    return result.exit_code


def notifier_of_ask(ask: Ask) -> Notifier:
    """Who is told: those that the settings name; asked for without any, the desktop."""
    settled = load_settings().notify
    if ask.notify is False:
        return not_notified
    if ask.notify and (settled is None or not settled.tells):
        settled = NotifySettings(desktop=True)
    return notifier_of(settled)


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
