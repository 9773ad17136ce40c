"""Decides what a batch does next, and writes down what became of it: one thread, no waiting, no engine.

Everything stands in the ledger's file before it has an effect, so that another process can go on at any point.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.batch.check import Demand, Room
from runner.batch.fitting import Key, Taken, Waiting, next_to_begin
from runner.batch.settled import Settled, best_of, wait_before
from runner.batch.worker import Start
from runner.clock import Clock, timestamp
from runner.model.batch_events import BatchEvent, BatchEventKind
from runner.store.batches import DONE, QUEUED, RUNNING, SKIPPED, AttemptRow, Batches, TaskRow, key_of

Launch = Callable[[Key, TaskRow, Start], None]
"""Begins one try; its end comes back through `Conductor.ended`."""
RunsOf = Callable[[str], Sequence[tuple[str, bool]]]
"""The runs of one try, oldest first: id, and whether it is unfinished: under way, or with work to be collected."""
AskedFor = Callable[[int], int]
"""How often a task's agent may fail and be tried again."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How a batch is carried out."""

    room: Room
    fail_fast: bool = False
    max_cost: float | None = None


class Conductor:
    """One batch under way."""

    def __init__(  # noqa: PLR0913 - what it decides on and whom it tells
        self,
        batch: str,
        batches: Batches,
        rules: Rules,
        *,
        clock: Clock,
        launch: Launch,
        runs_of: RunsOf,
        asked_for: AskedFor,
        tell: Callable[[BatchEvent], None],
    ) -> None:
        self._batch, self._batches, self._rules, self._clock = batch, batches, rules, clock
        self._launch, self._runs_of, self._asked_for, self._tell = launch, runs_of, asked_for, tell
        self.tasks = {row.number: row for row in batches.tasks(batch)}
        self.attempts: dict[Key, AttemptRow] = {(row.task, row.attempt): row for row in batches.attempts(batch)}
        self._numbers = {row.name: row.number for row in self.tasks.values()}
        self._needs = {row.number: tuple(json.loads(row.needs)) for row in self.tasks.values()}
        self._keys: dict[int, list[Key]] = {}
        for key in self.attempts:
            self._keys.setdefault(key[0], []).append(key)
        self._needed_by: dict[int, list[int]] = {}
        for number, names in self._needs.items():
            for name in names:
                self._needed_by.setdefault(self._numbers[name], []).append(number)
        self._waiting: dict[Key, Waiting] = {}
        self._taken = Taken()
        self.draining = ""
        """Why nothing new begins; empty while it does."""
        self._load()

    # --- where it stands

    @property
    def running(self) -> int:
        """How many tries are under way."""
        return self._taken.jobs

    def is_over(self) -> bool:
        """Whether nothing runs, and nothing is going to."""
        return not self.running and (bool(self.draining) or not self._waiting)

    @property
    def left(self) -> int:
        """Attempts that nobody has begun, or that wait for another try."""
        return sum(row.state == QUEUED for row in self.attempts.values())

    @property
    def spent_usd(self) -> float:
        """What everything that is over has cost."""
        return sum(row.cost_usd for row in self.attempts.values())

    def wake_in(self) -> float | None:
        """Seconds until something may begin that waits for its time; `None` where nothing does."""
        now = self._clock.now()
        times = [each.not_before for each in self._waiting.values() if each.not_before is not None]
        return max(0.0, (min(times) - now).total_seconds()) if times else None

    # --- what happens

    def step(self) -> None:
        """Begin everything that may begin now."""
        while not self.draining:
            chosen = next_to_begin(self._waiting.values(), self._taken, self._rules.room, self._clock.now())
            if chosen is None:
                return
            self._begin(chosen)

    def began(self, key: Key, run: str) -> None:
        """A try has a run, or one more."""
        self._batches.note_run(self._batch, *key, run)
        self.attempts[key] = self.attempts[key]._replace(run=run)
        self._say("run", key)

    def ended(self, key: Key, settled: Settled) -> None:
        """A try is over: it is tried again, or that is how the attempt went."""
        self._taken.give_back(key)
        row = self._closed(self.attempts[key], settled)
        failures = row.failures + (settled.fault != "unbegun")
        wait = None if settled.ok else wait_before(settled.fault, failures, self._asked_for(key[0]))
        if wait is not None:
            again = self._clock.now() + timedelta(seconds=wait)
            row = row._replace(state=QUEUED, failures=failures, not_before=timestamp(again))
            self._write(row)
            self._wait(key, again)
            self._say("again", key, text=f"in {wait:.0f} s: {settled.reason or settled.outcome}")
            return
        self._write(row._replace(state=DONE))
        self._say("ended", key, text=settled.reason)
        self._settle(key[0])

    def drain(self, why: str) -> None:
        """Begin nothing new; what runs goes on to its end."""
        if not self.draining:
            self.draining = why
            self._notice(f"{why}: nothing new begins" + (f", {self.running} still at work" if self.running else ""))

    def look_at_cost(self, under_way: float) -> bool:
        """Whether all that the batch may cost is spent; then nothing new begins."""
        most = self._rules.max_cost
        if most is None or self.spent_usd + under_way < most:
            return False
        self.drain(f"The batch has cost {self.spent_usd + under_way:.2f} of {most:.2f} USD")
        return True

    # --- inside

    def _load(self) -> None:
        for number in self.tasks:
            for key in self._keys[number]:
                row = self.attempts[key]
                if row.state == RUNNING:
                    row = row._replace(state=QUEUED, not_before="")
                    self._write(row)
            self._consider(number)

    def _consider(self, number: int) -> None:
        """Let a task wait for room, or skip it, once all that it needs is over."""
        states = [self._state_of(self._numbers[name]) for name in self._needs[number]]
        if any(state is None for state in states):
            return
        for name, state in zip(self._needs[number], states, strict=True):
            if not state:
                self._skip(number, f"it needs {name}, which {self._fate(self._numbers[name])}")
                return
        for key in self._keys[number]:
            row = self.attempts[key]
            if row.state == QUEUED and key not in self._waiting:
                self._wait(key, datetime.fromisoformat(row.not_before) if row.not_before else None)

    def _state_of(self, number: int) -> bool | None:
        """Whether a task succeeded; `None` while it is not over."""
        rows = [self.attempts[key] for key in self._keys[number]]
        if any(row.state not in {DONE, SKIPPED} for row in rows):
            return None
        return bool(best_of(rows).ok)

    def _fate(self, number: int) -> str:
        row = best_of(self.attempts[key] for key in self._keys[number])
        return "was skipped" if row.state == SKIPPED else f"ended with {row.outcome}"

    def _skip(self, number: int, reason: str) -> None:
        skipped = [key for key in self._keys[number] if self.attempts[key].state == QUEUED]
        if not skipped:
            return
        self._batches.skip(self._batch, number, reason)
        for key in skipped:
            self.attempts[key] = self.attempts[key]._replace(state=SKIPPED, reason=reason)
        self._say("skipped", skipped[0], text=reason)
        self._settle(number)

    def _wait(self, key: Key, not_before: datetime | None) -> None:
        task = self.tasks[key[0]]
        self._waiting[key] = Waiting(key, Demand(task.cpus, task.memory, task.provider), not_before)

    def _begin(self, chosen: Waiting) -> None:
        key = chosen.key
        del self._waiting[key]
        row, task = self.attempts[key], self.tasks[key[0]]
        lost = self._runs_of(key_of(self._batch, *key, row.tries)) if row.tries else ()
        taken_up = self._unfinished(row, lost)
        if taken_up:
            row = row._replace(state=RUNNING)
            self._write(row)
        else:
            at = timestamp(self._clock.now())
            self._batches.begin(self._batch, *key, at)
            row = row._replace(state=RUNNING, tries=row.tries + 1, not_before="", stop=0, run="", started_at=at)
        self.attempts[key] = row
        self._taken.take(key, chosen.demand)
        self._say("began", key, text="what was begun is taken up" if taken_up else "")
        self._launch(key, task, self._start(task, row, taken_up))

    def _unfinished(self, row: AttemptRow, runs: Sequence[tuple[str, bool]]) -> tuple[str, ...]:
        """The runs of a try that has not come to its end, as far as the batch knows: they are taken up."""
        if any(unfinished for _, unfinished in runs) or not row.ended_at:
            return tuple(run for run, _ in runs)
        return ()

    def _start(self, task: TaskRow, row: AttemptRow, taken_up: tuple[str, ...]) -> Start:
        needed = {name: self._chosen(self._numbers[name]) for name in self._needs[task.number]}
        alike = [each for name, each in needed.items() if self.tasks[self._numbers[name]].repo == task.repo]
        return Start(
            key=key_of(self._batch, row.task, row.attempt, row.tries),
            work=self._batches.work(self._batch, task.number),
            provider=task.provider,
            earlier={name: each.run for name, each in needed.items() if each.run},
            base=alike[0].branch if len(needed) == 1 and alike else "",
            begun=taken_up,
        )

    def _chosen(self, number: int) -> AttemptRow:
        return best_of(self.attempts[key] for key in self._keys[number])

    def _closed(self, row: AttemptRow, settled: Settled) -> AttemptRow:
        return row._replace(
            run=settled.run or row.run,
            outcome=settled.outcome,
            ok=int(settled.ok),
            reason=settled.reason,
            check=settled.check,
            branch=settled.branch,
            commits=settled.commits,
            lines=settled.lines,
            cost_usd=row.cost_usd + settled.cost_usd,
            ended_at=timestamp(self._clock.now()),
        )

    def _settle(self, number: int) -> None:
        """A task may be over, and others may have waited for that."""
        ok = self._state_of(number)
        if ok is None:
            return
        best = self._chosen(number)
        self._batches.choose(self._batch, number, best.attempt)
        for key in self._keys[number]:
            self.attempts[key] = self.attempts[key]._replace(chosen=int(key[1] == best.attempt))
        if len(self._keys[number]) > 1 and best.state == DONE:
            self._say("chosen", (number, best.attempt))
        for other in self._needed_by.get(number, ()):
            self._consider(other)
        if not ok and self._rules.fail_fast and best.state == DONE:
            self.drain(f"{self.tasks[number].name} failed")

    def _write(self, row: AttemptRow) -> None:
        self._batches.write(self._batch, row)
        self.attempts[row.task, row.attempt] = row

    def _notice(self, text: str) -> None:
        self._tell(BatchEvent(at=timestamp(self._clock.now()), kind="notice", text=text))

    def _say(self, kind: BatchEventKind, key: Key, *, text: str = "") -> None:
        row = self.attempts[key]
        began = datetime.fromisoformat(row.started_at) if row.started_at else self._clock.now()
        done = kind in {"ended", "again", "chosen"}
        self._tell(
            BatchEvent(
                at=timestamp(self._clock.now()),
                kind=kind,
                task=self.tasks[key[0]].name,
                attempt=key[1] if len(self._keys[key[0]]) > 1 else 0,
                number=row.tries,
                run=row.run,
                outcome=row.outcome if done else "",
                text=text,
                branch=row.branch if done else "",
                commits=row.commits if done else 0,
                cost_usd=row.cost_usd if done else 0.0,
                seconds=(self._clock.now() - began).total_seconds() if done else 0.0,
            )
        )
