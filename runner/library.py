"""The library: `from runner import Task, run` carries one task out; what happens comes as an iterator of events.

It reads settings, variables and trust as the command line does, and the commands carry tasks out with it. Nothing
happens before a run's scope is entered, and when it is left the run is over: collected, reported, cleared away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from runner.errors import StoreError, UsageError
from runner.model.activity import Activity, Progress
from runner.model.events import Event
from runner.model.policy import Policy
from runner.model.result import RunResult
from runner.model.settings import Settings
from runner.model.task import Task
from runner.report.policy_toml import policy_toml
from runner.run.cancellation import Cancellation
from runner.run.execute import run_task
from runner.run.host import Host
from runner.sandbox.engine import Engine
from runner.sandbox.late_engine import LateEngine
from runner.settings import ceiling_files, home, load_settings, trust_file, variable
from runner.store.files import write_whole
from runner.store.runs import RunPaths

Happening = Event | Activity
"""What an iteration gives: steps of the run, and what an agent with an event stream says that it does."""


class Running:
    """One run: a scope, an iterator of what happens in it, and in the end a result.

    A run that is waited for in one go needs no scope: `run(task).wait()`.
    """

    def __init__(self, work: Callable[[Running], RunResult]) -> None:
        self.id = ""
        """The run's id, as soon as there is one."""
        self.cancellation = Cancellation()
        self._work = work
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="paddock-run")
        self._future: Future[RunResult] | None = None
        self._happenings: SimpleQueue[Happening | None] = SimpleQueue()

    def __enter__(self) -> Self:
        """Begin. Once only."""
        if self._future is not None:
            raise UsageError("This run has begun already.", hint="Make another one: run(task).")
        self._future = self._thread.submit(self._work, self)
        self._future.add_done_callback(lambda _: self._happenings.put(None))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the end; an exception cancels the run first. Raises what kept it from starting."""
        if kind is not None:
            self.cancel()
        self._over()
        if kind is None:
            self.result  # noqa: B018 - raises what nobody may have asked for

    def __iter__(self) -> Iterator[Happening]:
        """What happens, from the beginning to the end of the run; each once, whoever asks. Texts are hostile."""
        while (happening := self._happenings.get()) is not None:
            yield happening
        self._happenings.put(None)  # for whoever asks again

    @property
    def result(self) -> RunResult:
        """How it ended; waits for that. Raises a `PaddockError` when nothing was started."""
        if self._future is None:
            raise UsageError("This run has not begun.", hint="Enter its scope: `with run(task) as running:`.")
        self._over()
        return self._future.result()

    def wait(self) -> RunResult:
        """Carry it out, and give its result. Raises a `PaddockError` when nothing was started."""
        with self:
            pass
        return self.result

    def cancel(self, *, now: bool = False) -> None:
        """Ask it to end: politely, or at once. What there is is collected in either case. Safe from any thread."""
        self.cancellation.request()
        if now:
            self.cancellation.request()

    def tell(self, happening: Happening | Progress) -> None:
        """For the run itself: something happened."""
        if not isinstance(happening, Progress):
            self._happenings.put(happening)

    def opened(self, paths: RunPaths) -> None:
        """For the run itself: it can be found from here on."""
        self.id = paths.id

    def _over(self) -> None:
        """Wait. A second interruption asks the agent to end without grace; the work is collected all the same."""
        try:
            self._thread.shutdown(wait=True)
        except KeyboardInterrupt:
            self.cancel(now=True)
            self._thread.shutdown(wait=True)
            raise


def run(
    task: Task,
    *,
    policy: Policy | None = None,
    state_dir: Path | None = None,
    engine: str | None = None,
    output: Callable[[int, bytes], None] | None = None,
) -> Running:
    """A run of `task`, which begins when its scope is entered.

    `policy` is held instead of the one that the task names. `state_dir` and `engine` beat the settings. `output` is
    called from the run's own thread with each piece of masked output: stream (1 or 2) and bytes, hostile text. All
    settings are read, and the task is judged, when the run begins: whatever is wrong with them is a `PaddockError`
    at the end of the scope.
    """

    def work(running: Running) -> RunResult:
        settings = load_settings(state_dir=state_dir, engine=engine)
        host = this_host(
            settings,
            cancellation=running.cancellation,
            tell=running.tell,
            watch=running.tell,
            opened=running.opened,
            show=output or _unseen,
        )
        return run_task(under(policy, task, settings) if policy else task, host)

    return Running(work)


def _unseen(_stream: int, _data: bytes) -> None:
    """Nobody watches."""


def this_host(settings: Settings, *, progress: Callable[[str], None] = lambda _: None, **callbacks: Any) -> Host:
    """This machine, with the real engine; `callbacks` are fields of `Host`. Nothing is opened yet."""

    def load() -> Engine:
        from runner.sandbox.docker_engine import DockerEngine

        return DockerEngine(
            settings.engine, state_dir=settings.state_dir, progress=progress, path_map=settings.path_map
        )

    return Host(
        settings=settings,
        engine=LateEngine(load),
        home=home(),
        variable=variable,
        trust=trust_file(),
        ceilings=ceiling_files(),
        **callbacks,
    )


def under(policy: Policy, task: Task, settings: Settings) -> Task:
    """The task with that policy, kept in a file, so that whoever goes on with the run finds it. Raises `StoreError`."""
    file = settings.state_dir / "policies" / f"{policy.digest().removeprefix('sha256:')}.toml"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{file.parent} cannot be made: {error.strerror}.") from error
    write_whole(file, policy_toml(policy))
    return task.model_copy(update={"policy": str(file)})
