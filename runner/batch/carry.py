"""Carries a batch out: threads that work, one thread that decides, and a queue between them."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from runner.batch.conductor import Conductor, Rules
from runner.batch.fitting import Key
from runner.batch.live import Live
from runner.batch.meter import Meter, metered, usage_file
from runner.batch.settled import Settled
from runner.batch.worker import Start, carry_out, is_unfinished, told_as_bug
from runner.clock import timestamp
from runner.errors import StoreError
from runner.model.batch import Work
from runner.model.batch_events import BatchEvent
from runner.run.host import Host
from runner.store.batches import ENDED, STOPPED, Batches, TaskRow
from runner.store.files import append_line
from runner.store.ledger import Ledger
from runner.store.runs import RunPaths

TICK = 0.5
"""Seconds between two looks at what others ask for."""


@dataclass
class Stops:
    """How often the user asked the batch to stop: to begin nothing new, to end what runs, to kill it."""

    times: int = 0

    def ask(self) -> None:
        """Once more; safe in a signal handler."""
        self.times += 1


@dataclass(frozen=True, kw_only=True)
class Audience:
    """Who hears of a batch while it is under way."""

    tell: Callable[[BatchEvent], None] = lambda _: None
    """Called with everything that happens."""
    look: Callable[[Conductor, Mapping[Key, Live]], None] = lambda *_: None
    """Called now and then, with all that there is to see."""


@dataclass
class Crew:
    """The threads that carry tries out; what they find comes through `inbox`."""

    host: Host
    templates: Path
    jobs: int
    inbox: queue.SimpleQueue[tuple[Key, RunPaths | Settled]] = field(default_factory=queue.SimpleQueue)
    lives: dict[Key, Live] = field(default_factory=dict)
    _threads: ThreadPoolExecutor | None = None

    def launch(self, key: Key, task: TaskRow, start: Start) -> None:
        """Begin one try."""

        def opened(paths: RunPaths) -> None:
            self.inbox.put((key, paths))

        live = Live(task.name, task.repo, task.agent, self.host.clock.monotonic(), opened)

        def told(done: Future[Settled]) -> None:
            error = done.exception()
            self.inbox.put((key, done.result() if error is None else told_as_bug(error, live)))

        assert self._threads is not None  # noqa: S101 - within `at_work`
        self.lives[key] = live
        self._threads.submit(carry_out, start, self.host, live, self.templates).add_done_callback(told)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Whatever happens to us, everybody stops and collects before we leave."""
        with ThreadPoolExecutor(max_workers=self.jobs, thread_name_prefix="batch") as self._threads:
            try:
                yield
            finally:
                for live in list(self.lives.values()):
                    live.ask_to_end(1)


def events_file(state: Path, batch: str) -> Path:
    """What happened in a batch, one JSON object a line."""
    return state / "batches" / batch / "events.jsonl"


def carry_batch(  # noqa: PLR0913, PLR0917 - what, how, where, and for whom
    batch: str, batches: Batches, rules: Rules, host: Host, templates: Path, stops: Stops, audience: Audience
) -> None:
    """Carry a batch out that this process owns, until all is done or it was stopped; that is written down.

    Raises `StoreError` when the ledger cannot be written; then everything has stopped, and it can be gone on with.
    """
    crew = Crew(host, templates, rules.room.jobs)
    with Ledger(host.ledger) as ledger:

        def runs_of(key: str) -> Sequence[tuple[str, bool]]:
            return [(row.id, is_unfinished(row, host.settings.state_dir)) for row in ledger.of_batch(key)]

        conductor = Conductor(
            batch,
            batches,
            rules,
            clock=host.clock,
            launch=crew.launch,
            runs_of=runs_of,
            asked_for=lambda number: Work.model_validate_json(batches.work(batch, number)).retry_failed,
            tell=Recorder(events_file(host.settings.state_dir, batch), audience.tell),
        )
        with metered(Meter(usage_file(host.settings.state_dir, batch), host.clock)), crew.at_work():
            go_on(conductor, crew, batches, batch, stops, audience)
    state = STOPPED if conductor.left else ENDED
    batches.end(batch, state=state, why=conductor.draining, ended_at=timestamp(host.clock.now()))


def go_on(  # noqa: PLR0913, PLR0917
    conductor: Conductor, crew: Crew, batches: Batches, batch: str, stops: Stops, audience: Audience
) -> None:
    """Until nothing runs and nothing may begin."""
    while not conductor.is_over():
        heed(conductor, crew, batches, batch, stops)
        conductor.step()
        audience.look(conductor, crew.lives)
        if conductor.is_over():
            return
        wake = conductor.wake_in()
        with suppress(queue.Empty):
            key, told = crew.inbox.get(timeout=TICK if wake is None else min(TICK, wake + 0.01))
            if isinstance(told, Settled):
                del crew.lives[key]
                conductor.ended(key, told)
            else:
                conductor.began(key, told.id)


def heed(conductor: Conductor, crew: Crew, batches: Batches, batch: str, stops: Stops) -> None:
    """Do what is asked for from outside: to stop all, or one; and hold what all of it may cost."""
    asked = max(stops.times, batches.stop_asked(batch))
    if asked:
        conductor.drain("Stopped")
    if conductor.look_at_cost(sum(live.spent_usd for live in crew.lives.values())):
        asked = max(asked, 2)
    for live in crew.lives.values():
        live.ask_to_end(min(asked - 1, 2))
    for task, attempt, times in batches.attempt_stops(batch):
        if (task, attempt) in crew.lives:
            crew.lives[task, attempt].ask_to_end(min(times, 2))


class Recorder:
    """Keeps every event in a file, and tells it on. A disk that is full stops no batch."""

    def __init__(self, path: Path, tell: Callable[[BatchEvent], None]) -> None:
        self._path = path
        self._tell = tell

    def __call__(self, event: BatchEvent) -> None:
        """One more event."""
        with suppress(StoreError, OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            append_line(self._path, event.model_dump_json(exclude_defaults=True))
        with suppress(OSError, ValueError):  # whoever watched has gone; the batch goes on
            self._tell(event)
