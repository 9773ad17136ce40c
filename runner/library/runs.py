"""`run`: one task, or the rounds of one, carried out for a library's user and for the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from runner.errors import UsageError
from runner.library import host as machine
from runner.library.scope import Scope
from runner.model.activity import Activity, Progress
from runner.model.events import Event
from runner.model.policy import Policy
from runner.model.result import RunResult
from runner.model.task import USUAL_ROUNDS, Task
from runner.run.cancellation import Cancellation
from runner.run.execute import run_task
from runner.run.host import Host
from runner.settings import load_settings, own_templates
from runner.store.runs import RunPaths

Happening = Event | Activity
"""What an iteration gives: steps of the run, and what an agent with an event stream says that it does."""


class Running(Scope[RunResult, Happening]):
    """One run: a scope, an iterator of what happens in it, and in the end a result.

    A run that is waited for in one go needs no scope: `run(task).wait()`.
    """

    noun = "run"

    def __init__(self, work: Callable[[Running], RunResult]) -> None:
        super().__init__()
        self.cancellation = Cancellation()
        self._work = work

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
        """For the run itself: it can be found from here on. Of several rounds it is the first that gives the id."""
        self.id = self.id or paths.id

    def _carry_out(self) -> RunResult:
        return self._work(self)

    def _end(self, *, now: bool) -> None:
        self.cancel(now=now)


def run(  # noqa: PLR0913 - one for each thing that can be said of a run
    task: Task,
    *,
    policy: Policy | None = None,
    until: str = "",
    review: str = "",
    max_rounds: int | None = None,
    state_dir: Path | None = None,
    engine: str | None = None,
    output: Callable[[int, bytes], None] | None = None,
) -> Running:
    """A run of `task`, which begins when its scope is entered.

    `policy` is held instead of the one that the task names. `until` is a check that sends the agent back to work while
    it fails, `review` an agent whose findings do so; the agent works at most `max_rounds` times, and all of it is
    within one set of limits: the result is that of its last run, and lists the rounds. `state_dir` and `engine` beat
    the settings. `output` is called from the run's own thread with each piece of masked output: stream (1 or 2) and
    bytes, hostile text. All settings are read, and the task is judged, when the run begins: whatever is wrong with
    them is a `PaddockError` at the end of the scope.
    """

    def work(running: Running) -> RunResult:
        settings = load_settings(state_dir=state_dir, engine=engine)
        host = machine.this_host(
            settings,
            cancellation=running.cancellation,
            tell=running.tell,
            watch=running.tell,
            opened=running.opened,
            show=output or _unseen,
        )
        held = machine.under(policy, task, settings) if policy else task
        return carry_out(held, host, until=until, review=review, max_rounds=max_rounds)

    return Running(work)


def carry_out(task: Task, host: Host, *, until: str = "", review: str = "", max_rounds: int | None = None) -> RunResult:
    """One task on that host, here and now; in rounds, where any are asked for. Raises as `run_task` does.

    Raises `UsageError` for rounds that mean nothing.
    """
    if not (until or review):
        if max_rounds is not None:
            raise UsageError("A number of rounds says nothing without a check to repeat (until) or a review.")
        return run_task(task, host)
    if until and task.check not in {"", until}:
        raise UsageError("`check` and `until` are two checks.", hint="Leave one out: until checks at the end, too.")
    if task.agent == "command":
        raise UsageError("A command cannot be told what to mend.", hint="Choose an agent that can be asked.")
    from runner.run.rounds import Loop, run_rounds

    loop = Loop(max_rounds=max_rounds or USUAL_ROUNDS, review=review, templates=own_templates())
    return run_rounds(task.model_copy(update={"check": until}) if until else task, loop, host)


def _unseen(_stream: int, _data: bytes) -> None:
    """Nobody watches."""
