"""`batch` and `resume`: many tasks, carried out for a library's user; what happens comes as an iterator of events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from runner.batch.assembly import Names, assemble
from runner.batch.carry import Audience, Stops
from runner.batch.notifying import Notifier, not_notified, notifier_of
from runner.clock import timestamp
from runner.errors import RefusedError, UsageError
from runner.library import host as machine
from runner.library.batching import Again, Changes, begin_batch, carry_on, go_on_with
from runner.library.scope import Scope
from runner.model.batch import Batch, Item, Work
from runner.model.batch_events import BatchEvent
from runner.model.batch_result import BatchResult, TaskEnd
from runner.model.result import RunResult
from runner.model.settings import Settings
from runner.model.task import Task
from runner.repo.urls import is_url
from runner.run.host import Host
from runner.settings import home, load_settings, own_templates
from runner.store.batch_files import absolute, read_batch
from runner.store.run_id import slug_of
from runner.store.runs import read_result, run_paths


class RunningBatch(Scope[BatchResult, BatchEvent]):
    """One batch: a scope, an iterator of what happens in it, and in the end a result.

    A batch that is waited for in one go needs no scope: `batch("tasks.toml").wait()`.
    """

    noun = "batch"

    def __init__(self, work: Callable[[RunningBatch], BatchResult]) -> None:
        super().__init__()
        self.stops = Stops()
        self.settings: Settings | None = None
        """What it is carried out with, as soon as it has begun."""
        self._work = work

    def stop(self, *, now: bool = False) -> None:
        """Begin nothing new; with `now`, also stop what runs, and collect it; once more, kill it, and collect it.

        What is left can be gone on with, by `resume`. Safe from any thread.
        """
        least = 2 if now else 1
        for _ in range(max(least - self.stops.times, int(now))):
            self.stops.ask()

    def run_result(self, task: TaskEnd) -> RunResult:
        """All that is known of the run that stands for a task. Raises `RefusedError` when there is none."""
        if not task.run or self.settings is None:
            raise RefusedError(f"{task.name} has no run: {task.reason or task.state}.")
        return read_result(run_paths(self.settings.state_dir, task.run))

    def tell(self, event: BatchEvent) -> None:
        """For the batch itself: something happened."""
        self._happenings.put(event)

    def _carry_out(self) -> BatchResult:
        return self._work(self)

    def _end(self, *, now: bool) -> None:
        self.stop(now=True)
        if now:
            self.stop(now=True)


def batch(  # noqa: PLR0913 - one for each thing that can be said of a batch
    what: str | Path | Batch | Sequence[Task],
    *,
    jobs: int | None = None,
    fail_fast: bool | None = None,
    max_cost: float | None = None,
    new: bool = False,
    notify: bool = False,
    state_dir: Path | None = None,
    engine: str | None = None,
) -> RunningBatch:
    """A batch, which is checked and begins when its scope is entered.

    `what` is a batch file, or tasks. `jobs` bounds how many run at one time, `max_cost` what all of it may cost, in US
    dollars; `fail_fast` begins nothing new once a task has failed. With `new`, a batch of the same file that is not
    done does not keep this one from its beginning. `notify` tells those that the settings name. `state_dir` and
    `engine` beat the settings. Whatever is wrong with a task is a `PaddockError` at the end of the scope; then nothing
    was started.
    """
    changes = changes_of(jobs, fail_fast, max_cost)

    def work(running: RunningBatch) -> BatchResult:
        host, notifier = _outside(running, state_dir, engine, notify=notify)
        identifier, host = begin_batch(batch_of(what, host), changes, host, _sayer(running, host), new=new)
        return _carried_out(running, identifier, host, notifier)

    return RunningBatch(work)


def resume(  # noqa: PLR0913 - as of a batch
    identifier: str = "last",
    *,
    retry: bool | Sequence[str] = False,
    jobs: int | None = None,
    fail_fast: bool | None = None,
    max_cost: float | None = None,
    notify: bool = False,
    state_dir: Path | None = None,
    engine: str | None = None,
) -> RunningBatch:
    """A batch that was stopped, or whose process died, gone on with: what is done stays done.

    `identifier` is its id, a unique beginning of it, or `last`. With `retry`, tasks that failed or were skipped are
    made anew: all of them, or those of these names or globs of names. Everything else is as for `batch`.
    """
    changes = changes_of(jobs, fail_fast, max_cost)
    again = None if not retry else Again() if retry is True else Again(tasks=tuple(retry), named=True)

    def work(running: RunningBatch) -> BatchResult:
        host, notifier = _outside(running, state_dir, engine, notify=notify)
        found, host = go_on_with(identifier, changes, host, _sayer(running, host), again)
        return _carried_out(running, found, host, notifier)

    return RunningBatch(work)


def changes_of(jobs: int | None, fail_fast: bool | None, max_cost: float | None) -> Changes:
    """How it is carried out. Raises `UsageError`."""
    if jobs is not None and jobs < 1:
        raise UsageError("`jobs` is at least 1.")
    if max_cost is not None and not max_cost > 0:
        raise UsageError("`max_cost` is more than nothing.")
    return Changes(jobs=jobs, fail_fast=fail_fast, max_cost=max_cost)


def batch_of(what: str | Path | Batch | Sequence[Task], host: Host) -> Batch:
    """What is to be carried out. Raises `UsageError`, and `RefusedError` with every fault of a file."""
    if isinstance(what, Batch):
        return what
    if isinstance(what, str | Path):
        return assemble(read_batch(Path(what)), host.settings, host.home, own_templates())
    if not what:
        raise UsageError("There is no task in this batch.")
    names = Names()
    return Batch(file="", items=tuple(_item(task, number, names) for number, task in enumerate(what, 1)))


def _item(task: Task, number: int, names: Names) -> Item:
    """A task of a list, which can be gone on with from any folder."""
    short = slug_of(task.repo.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git"))
    is_file = "/" in task.policy or task.policy.endswith(".toml")
    places = {
        "repo": task.repo if is_url(task.repo) else _here(task.repo),
        "policy": _here(task.policy) if is_file else task.policy,
        "context": tuple(map(_here, task.context)),
        "beside": tuple(each if is_url(each) else _here(each) for each in task.beside),
    }
    work = Work(task=task.model_copy(update=places))
    return Item(name=names.new(task.name or short), place=f"task {number}", work=work)


def _here(place: str) -> str:
    return str(absolute(place, Path.cwd(), home()))


def _outside(
    running: RunningBatch, state_dir: Path | None, engine: str | None, *, notify: bool
) -> tuple[Host, Notifier]:
    running.settings = settings = load_settings(state_dir=state_dir, engine=engine)
    return machine.this_host(settings), notifier_of(settings.notify) if notify else not_notified


def _sayer(running: RunningBatch, host: Host) -> Callable[[str], None]:
    return lambda text: running.tell(BatchEvent(at=timestamp(host.clock.now()), kind="notice", text=text))


def _carried_out(running: RunningBatch, identifier: str, host: Host, notifier: Notifier) -> BatchResult:
    running.id = identifier
    return carry_on(identifier, host, running.stops, Audience(tell=running.tell), notifier)
