"""The batches of a ledger: found, owned by one process, stopped, put back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import RunNotFoundError, StoreError
from runner.store.batches import Batches, BatchRow, TaskRow


@pytest.fixture
def batches(tmp_path: Path) -> Iterator[Batches]:
    with Batches(tmp_path / "ledger.db") as opened:
        yield opened


def batch(identifier: str, *, created_at: str = "2026-11-20", file: str = "/f.toml") -> BatchRow:
    return BatchRow(identifier, file, "sha256:0", "{}", created_at, owner_pid=1, owner_started=2)


def task(number: int, name: str = "") -> TaskRow:
    return TaskRow(number, name or f"t{number}", "/r", "command", "", 1.0, 10, "[]", "[]")


def test_a_batch_is_there_with_all_of_its_tasks_or_not_at_all(batches: Batches) -> None:
    batches.add(batch("a"), [(task(1), "work 1", 2), (task(2), "work 2", 1)])
    assert [(row.task, row.attempt, row.state) for row in batches.attempts("a")] == [
        (1, 1, "queued"),
        (1, 2, "queued"),
        (2, 1, "queued"),
    ]
    assert batches.work("a", 2) == "work 2"
    with pytest.raises(StoreError):
        batches.add(batch("b"), [(task(1, "same"), "", 1), (task(2, "same"), "", 1)])
    assert batches.get("b") is None
    assert batches.tasks("b") == []


def test_a_batch_is_found_by_its_id_a_beginning_of_it_or_as_the_last(batches: Batches) -> None:
    for identifier, created_at in (("2026-fix-a1", "1"), ("2026-fix-a12", "3"), ("2026-doc-b1", "2")):
        batches.add(batch(identifier, created_at=created_at), [(task(1), "", 1)])
    assert batches.find("2026-doc").id == "2026-doc-b1"
    assert batches.find("2026-fix-a1").id == "2026-fix-a1"
    assert batches.find("last").id == "2026-fix-a12"
    assert [row.id for row in batches.list()] == ["2026-fix-a12", "2026-doc-b1", "2026-fix-a1"]
    with pytest.raises(RunNotFoundError, match="more than one batch: 2026-fix-a1, 2026-fix-a12"):
        batches.find("2026-fix")
    with pytest.raises(RunNotFoundError, match="there is no batch '%'") as error:
        batches.find("%")
    assert "2026-fix-a12" in error.value.hint
    assert batches.newest_of("/f.toml") == batches.find("last")
    assert batches.newest_of("/g.toml") is None


def test_of_two_processes_that_go_on_with_a_batch_one_does(batches: Batches) -> None:
    batches.add(batch("a"), [(task(1), "", 1)])
    batches.ask_stop("a", 2)
    before = batches.find("a")
    assert batches.take_over(before, 7, 8)
    assert not batches.take_over(before, 9, 10)
    after = batches.find("a")
    assert (after.owner_pid, after.owner_started, after.stop, after.state) == (7, 8, 0, "running")


def test_a_request_to_stop_is_never_taken_back_by_a_weaker_one(batches: Batches) -> None:
    batches.add(batch("a"), [(task(1), "", 1)])
    batches.ask_stop("a", 2)
    batches.ask_stop("a", 1)
    assert batches.stop_asked("a") == 2
    batches.begin("a", 1, 1, "now")
    batches.ask_attempt_stop("a", 1, 1, 2)
    assert list(batches.attempt_stops("a")) == [(1, 1, 2)]
    batches.begin("a", 1, 1, "later")
    assert list(batches.attempt_stops("a")) == []


def test_an_attempt_is_written_as_it_is_and_a_task_that_is_put_back_keeps_its_tries_and_its_cost(
    batches: Batches,
) -> None:
    batches.add(batch("a"), [(task(1), "", 1), (task(2), "", 1)])
    batches.begin("a", 1, 1, "began")
    batches.note_run("a", 1, 1, "run")
    row = batches.attempts("a", 1)[0]
    assert (row.state, row.tries, row.run, row.started_at) == ("running", 1, "run", "began")
    done = row._replace(state="done", outcome="agent-failed", reason="no", check="failed", cost_usd=0.5, ended_at="end")
    batches.write("a", done)
    assert batches.attempts("a", 1) == [done]
    batches.skip("a", 2, "it needs t1")
    batches.put_back("a", [1, 2])
    first, second = batches.attempts("a")
    assert first == first._replace(state="queued", tries=1, cost_usd=0.5, ended_at="end", outcome="", reason="", run="")
    assert (second.state, second.reason, second.tries) == ("queued", "", 0)
