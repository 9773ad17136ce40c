"""What a batch does next, with a clock that the test turns and runs that end when the test says so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.batch.check import Room
from runner.batch.conductor import Conductor, Rules
from runner.batch.settled import Settled
from runner.batch.worker import Start
from runner.model.batch_events import BatchEvent
from runner.store.batches import Batches, BatchRow, TaskRow

GOOD = Settled("completed", ok=True, run="run", branch="paddock/run", commits=1)
BROKEN = Settled("engine-failed", ok=False, fault="engine", reason="the engine went away")
FAILED = Settled("agent-failed", ok=False, fault="agent", reason="exit code 1")


class Turned:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=self.seconds)


class Stage:
    """One batch, and everything that the conductor asked for."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches
        self.clock = Turned()
        self.started: list[Start] = []
        self.under_way: dict[str, tuple[int, int]] = {}
        self.told: list[BatchEvent] = []
        self.runs: dict[str, list[tuple[str, bool]]] = {}
        self.asked = 0
        self.conductor: Conductor

    def add(self, *tasks: tuple[str, tuple[str, ...]], attempts: int = 1, repo: str = "/r") -> None:
        """A batch of tasks, each with what it needs."""
        rows = [
            (
                TaskRow(n, name, repo, "command", "", 1.0, 10, str(list(needs)).replace("'", '"'), "[]"),
                f"work {name}",
                attempts,
            )
            for n, (name, needs) in enumerate(tasks, 1)
        ]
        self.batches.add(BatchRow("b", "/f.toml", "sha256:0", "{}", "t", 1, 2), rows)

    def begin(self, *, jobs: int = 99, fail_fast: bool = False, max_cost: float | None = None) -> Conductor:
        """A process that carries it out, the first or a later one."""
        self.started.clear()
        self.under_way.clear()
        room = Room(cpus=1000, memory=10**6, jobs=jobs, providers={})
        self.conductor = Conductor(
            "b",
            self.batches,
            Rules(room=room, fail_fast=fail_fast, max_cost=max_cost),
            clock=self.clock,
            launch=self._launch,
            runs_of=lambda key: self.runs.get(key, []),
            asked_for=lambda _: self.asked,
            tell=self.told.append,
        )
        self.conductor.step()
        return self.conductor

    def _launch(self, key: tuple[int, int], task: TaskRow, start: Start) -> None:
        self.started.append(start)
        self.under_way[start.work.removeprefix("work ")] = key

    def end(self, name: str, settled: Settled) -> None:
        """One try ends."""
        self.conductor.ended(self.under_way.pop(name), settled)
        self.conductor.step()

    @property
    def names(self) -> list[str]:
        """What is under way."""
        return sorted(self.under_way)

    def states(self) -> dict[str, str]:
        """As another process reads it."""
        names = {row.number: row.name for row in self.batches.tasks("b")}
        return {names[row.task]: row.outcome or row.state for row in self.batches.attempts("b")}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Batches(tmp_path / "ledger.db") as batches:
        yield Stage(batches)


def test_a_task_begins_when_all_that_it_needs_has_succeeded(stage: Stage) -> None:
    stage.add(("plan", ()), ("other", ()), ("build", ("plan", "other")))
    stage.begin()
    assert stage.names == ["other", "plan"]
    stage.end("plan", GOOD._replace(run="p1", branch="paddock/p1"))
    assert stage.names == ["other"]
    stage.end("other", GOOD._replace(run="o1", branch=""))
    assert stage.names == ["build"]
    assert stage.started[-1].earlier == {"plan": "p1", "other": "o1"}
    stage.end("build", GOOD)
    assert stage.conductor.is_over()


def test_a_task_goes_on_with_the_branch_of_the_one_task_that_it_needs(stage: Stage) -> None:
    stage.add(("plan", ()), ("build", ("plan",)))
    stage.begin()
    stage.end("plan", GOOD._replace(run="p1", branch="paddock/p1"))
    assert stage.started[-1].base == "paddock/p1"


def test_of_several_branches_none_is_the_base(stage: Stage) -> None:
    stage.add(("one", ()), ("two", ()), ("both", ("one", "two")))
    stage.begin()
    stage.end("one", GOOD)
    stage.end("two", GOOD)
    assert stage.started[-1].base == ""


def test_what_needs_a_failed_task_is_skipped_with_the_reason_and_the_rest_goes_on(stage: Stage) -> None:
    stage.add(("plan", ()), ("build", ("plan",)), ("review", ("build",)), ("free", ()))
    stage.begin(jobs=1)
    stage.end("plan", FAILED)
    assert stage.names == ["free"]
    stage.end("free", GOOD)
    assert stage.states() == {"plan": "agent-failed", "build": "skipped", "review": "skipped", "free": "completed"}
    skipped = [(event.task, event.text) for event in stage.told if event.kind == "skipped"]
    assert skipped == [
        ("build", "it needs plan, which ended with agent-failed"),
        ("review", "it needs build, which was skipped"),
    ]


def test_an_engine_failure_comes_again_later_each_time_and_then_stays(stage: Stage) -> None:
    stage.add(("one", ()))
    stage.begin()
    waits = []
    while stage.names:
        stage.end("one", BROKEN)
        wait = stage.conductor.wake_in()
        if wait is None:
            break
        assert stage.names == []
        waits.append(wait)
        stage.clock.seconds += wait - 0.1
        stage.conductor.step()
        assert stage.names == []
        stage.clock.seconds += 0.2
        stage.conductor.step()
        assert stage.names == ["one"]
    assert waits == sorted(waits)
    assert len(waits) == 3
    assert [start.key for start in stage.started] == ["b/1/1/1", "b/1/1/2", "b/1/1/3", "b/1/1/4"]
    assert stage.states() == {"one": "engine-failed"}


def test_while_one_waits_for_its_next_try_another_has_its_place(stage: Stage) -> None:
    stage.add(("one", ()), ("two", ()))
    stage.begin(jobs=1)
    stage.end("one", BROKEN)
    assert stage.names == ["two"]


@pytest.mark.parametrize(("asked", "tries"), [(0, 1), (2, 3)])
def test_an_agents_failure_is_tried_again_as_often_as_the_file_asks(stage: Stage, asked: int, tries: int) -> None:
    stage.add(("one", ()))
    stage.asked = asked
    stage.begin()
    while stage.names:
        stage.end("one", FAILED)
        stage.clock.seconds += 100
        stage.conductor.step()
    assert len(stage.started) == tries


def test_what_the_policy_refuses_is_never_tried_again(stage: Stage) -> None:
    stage.add(("one", ()))
    stage.asked = 5
    stage.begin()
    stage.end("one", Settled("refused", ok=False, fault="never"))
    assert stage.conductor.is_over()
    assert len(stage.started) == 1


def test_a_failure_stops_nothing_unless_asked_to_fail_fast(stage: Stage) -> None:
    stage.add(("one", ()), ("two", ()), ("three", ()))
    stage.begin(jobs=2, fail_fast=True)
    stage.end("one", FAILED)
    assert stage.names == ["two"]
    assert not stage.conductor.is_over()
    stage.end("two", GOOD)
    assert stage.conductor.is_over()
    assert stage.conductor.draining == "one failed"
    assert stage.states()["three"] == "queued"


def test_a_batch_that_drains_begins_nothing_and_ends_with_what_runs(stage: Stage) -> None:
    stage.add(("one", ()), ("two", ()))
    stage.begin(jobs=1)
    stage.conductor.drain("Stopped")
    stage.end("one", BROKEN)
    assert stage.conductor.is_over()
    assert stage.conductor.left == 2


def test_what_has_cost_enough_ends_the_batch(stage: Stage) -> None:
    stage.add(("one", ()), ("two", ()))
    stage.begin(jobs=1, max_cost=1.0)
    assert not stage.conductor.look_at_cost(0.9)
    stage.end("one", GOOD._replace(cost_usd=0.6))
    assert not stage.conductor.look_at_cost(0.3)
    assert stage.conductor.look_at_cost(0.4)
    assert "1.00 of 1.00 USD" in stage.conductor.draining


def test_of_several_attempts_the_best_stands_for_the_task_and_all_are_kept(stage: Stage) -> None:
    stage.add(("one", ()), ("next", ("one",)), attempts=1)
    with stage.batches.transaction():
        stage.batches._change("INSERT INTO batch_attempts (batch, task, attempt, state) VALUES ('b', 1, 2, 'queued')")
    stage.begin(jobs=1)
    stage.end("one", GOOD._replace(run="large", branch="paddock/large", lines=50))
    assert stage.names == ["one"]
    stage.end("one", GOOD._replace(run="small", branch="paddock/small", lines=5))
    assert stage.started[-1].base == "paddock/small"
    assert [(row.run, row.chosen) for row in stage.batches.attempts("b", 1)] == [("large", 0), ("small", 1)]


# --- another process goes on


def test_what_is_done_is_never_begun_again_and_what_was_queued_is(stage: Stage) -> None:
    stage.add(("one", ()), ("two", ()), ("three", ("one",)))
    stage.begin(jobs=1)
    stage.end("one", GOOD)
    stage.under_way.clear()
    stage.begin()
    assert stage.names == ["three", "two"]
    assert [start.key for start in stage.started] == ["b/2/1/2", "b/3/1/1"]


def test_a_try_whose_process_died_is_taken_up_and_not_begun_anew(stage: Stage) -> None:
    stage.add(("one", ()))
    stage.begin()
    stage.conductor.began((1, 1), "r1")
    stage.runs["b/1/1/1"] = [("r1", True)]
    stage.begin()
    assert [(start.key, start.begun) for start in stage.started] == [("b/1/1/1", ("r1",))]
    stage.end("one", GOOD._replace(run="r1"))
    assert [(row.tries, row.run, row.outcome) for row in stage.batches.attempts("b")] == [(1, "r1", "completed")]


def test_a_run_that_ended_while_nobody_wrote_it_down_is_read_and_not_made_again(stage: Stage) -> None:
    stage.add(("one", ()))
    stage.begin()
    stage.runs["b/1/1/1"] = [("r1", False)]
    stage.begin()
    assert stage.started[0].begun == ("r1",)


def test_a_try_of_which_there_is_no_run_is_begun_under_a_new_key(stage: Stage) -> None:
    stage.add(("one", ()))
    stage.begin()
    stage.begin()
    assert [(start.key, start.begun) for start in stage.started] == [("b/1/1/2", ())]


def test_a_run_that_could_not_be_taken_up_is_taken_up_again_later(stage: Stage) -> None:
    stage.add(("one", ()))
    stage.begin()
    stage.runs["b/1/1/1"] = [("r1", True)]
    stage.begin()
    stage.end("one", BROKEN)
    stage.clock.seconds += 100
    stage.conductor.step()
    assert [(start.key, start.begun) for start in stage.started] == [("b/1/1/1", ("r1",))] * 2


def test_a_run_whose_agent_never_began_is_made_at_once_and_counts_as_no_failure(stage: Stage) -> None:
    stage.add(("one", ()))
    stage.begin()
    stage.runs["b/1/1/1"] = [("r1", True)]
    stage.begin()
    stage.runs["b/1/1/1"] = [("r1", False)]
    stage.end("one", Settled("cancelled", ok=False, fault="unbegun", run="r1"))
    assert [(start.key, start.begun) for start in stage.started] == [("b/1/1/1", ("r1",)), ("b/1/1/2", ())]
    assert stage.batches.attempts("b")[0].failures == 0


def test_the_next_try_of_a_failure_does_not_take_up_the_last_one(stage: Stage) -> None:
    stage.add(("one", ()))
    stage.begin()
    stage.runs["b/1/1/1"] = [("r1", False)]
    stage.end("one", BROKEN._replace(run="r1"))
    stage.begin()
    stage.clock.seconds += 100
    stage.conductor.step()
    assert [(start.key, start.begun) for start in stage.started] == [("b/1/1/2", ())]


def test_a_task_that_is_put_back_is_begun_anew_and_its_last_run_is_not_taken_for_the_new_one(stage: Stage) -> None:
    stage.add(("one", ()), ("two", ("one",)))
    stage.begin()
    stage.runs["b/1/1/1"] = [("r1", False)]
    stage.end("one", FAILED._replace(run="r1", cost_usd=0.5))
    stage.batches.put_back("b", [1, 2])
    assert stage.states() == {"one": "queued", "two": "queued"}
    stage.begin()
    assert [(start.key, start.begun) for start in stage.started] == [("b/1/1/2", ())]
    stage.end("one", GOOD._replace(cost_usd=0.25))
    assert stage.names == ["two"]
    assert stage.conductor.spent_usd == 0.75


def test_a_thousand_tasks_are_conducted_in_a_moment(stage: Stage) -> None:
    import time

    stage.add(*((f"t{number}", (f"t{number - 1}",) if number % 10 else ()) for number in range(1000)))
    began = time.perf_counter()
    stage.begin(jobs=8)
    while stage.names:
        stage.end(stage.names[0], GOOD)
    assert set(stage.states().values()) == {"completed"}
    assert time.perf_counter() - began < 20  # about 1 s on an idle machine
