"""What a report knows of a batch: from what real runs on the fake engine left, and where that is missing or torn."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from runner.batch import report
from runner.batch.carry import events_file
from runner.batch.meter import usage_file
from runner.batch.report import report_of
from runner.batch.report_result import MOST_ANSWER, MOST_LISTED, bounded
from runner.batch.report_tries import tries_of
from runner.clock import SystemClock
from runner.model.batch_events import BatchEvent, BatchEventKind
from runner.model.batch_report import ReportParts, ReportTask
from runner.model.result import CheckResult
from runner.store.batches import STOPPED, Batches
from runner.store.ledger import LEDGER_NAME
from runner.store.runs import run_paths
from tests.unit.batch.test_carry import THREE, Place
from tests.unit.report.results import result_with


class Left(NamedTuple):
    """A batch that is over, in a state directory of its own."""

    state: Path
    batch: str

    def read(self) -> ReportParts:
        """The report's parts, as the command reads them."""
        with Batches(self.state / LEDGER_NAME) as batches:
            return report_of(self.state, batches.find(self.batch), batches, SystemClock())


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Left:
    place = Place(tmp_path_factory.mktemp("carried"))
    return Left(place.host.settings.state_dir, place.carry(THREE))


@pytest.fixture
def left(carried: Left, tmp_path: Path) -> Left:
    shutil.copytree(carried.state, tmp_path / "state", symlinks=True)
    return Left(tmp_path / "state", carried.batch)


def tasks_of(parts: ReportParts) -> dict[str, ReportTask]:
    return {task.name: task for task in parts.tasks}


def test_a_report_tells_what_every_task_came_to(carried: Left) -> None:
    parts = carried.read()
    tasks = tasks_of(parts)
    assert {name: (task.state, task.ok) for name, task in tasks.items()} == {
        "works": ("completed", True),
        "fails": ("agent-failed", False),
        "after": ("no-changes", True),
        "never": ("skipped", False),
    }
    totals = parts.head.totals
    assert (totals.succeeded, totals.failed, totals.skipped, totals.running, totals.queued) == (2, 1, 1, 0, 0)
    assert (totals.runs, totals.commits, totals.insertions) == (3, 1, 1)
    (works,) = tasks["works"].evidence
    assert works.result is not None
    assert works.result.branch == tasks["works"].best.branch
    assert "+new" in works.diff
    assert works.diff_bytes == len(works.diff)
    (only,) = tasks["works"].best.tries
    assert (only.run, only.outcome) == (works.result.id, "completed")
    assert only.began_at <= only.ended_at
    assert tasks["never"].best.reason == "it needs fails, which ended with agent-failed"
    assert parts.head.usage, "the machine's use was written down"


def test_a_patch_is_cut_at_a_line_and_all_of_them_have_their_share(
    carried: Left, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "LEAST_DIFF", 100)
    monkeypatch.setattr(report, "ALL_DIFFS", 100)
    (works,) = tasks_of(carried.read())["works"].evidence
    assert works.cut == ("diff",)
    assert len(works.diff) <= 100 < works.diff_bytes
    assert works.diff.endswith("\n")


def test_a_run_that_was_removed_and_events_that_are_torn_leave_a_report_that_says_so(left: Left) -> None:
    state, identifier = left
    works = tasks_of(left.read())["works"]
    run_paths(state, works.best.run).result.unlink()
    events = events_file(state, identifier)
    events.write_bytes(b"\xff\n" + events.read_bytes()[:-20])
    usage_file(state, identifier).write_bytes(b'{"at":\n')
    torn = left.read()
    (works_left,) = tasks_of(torn)["works"].evidence
    assert works_left.result is None
    assert "cannot be read" in works_left.missing
    assert tasks_of(torn)["works"].best.branch == works.best.branch, "the ledger knows it all the same"
    assert torn.head.usage == ()
    events.unlink()
    (only,) = tasks_of(left.read())["works"].best.tries
    assert (only.outcome, only.began_at) == ("completed", works.best.started_at)


def test_a_patch_that_is_a_link_is_not_followed(left: Left, tmp_path: Path) -> None:
    works = tasks_of(left.read())["works"]
    diff = run_paths(left.state, works.best.run).diff
    (tmp_path / "secret").write_text("a secret")
    diff.unlink()
    diff.symlink_to(tmp_path / "secret")
    (works_left,) = tasks_of(left.read())["works"].evidence
    assert works_left.diff == ""


def test_a_batch_that_was_stopped_tells_what_has_not_begun(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.stops.ask()
    parts = Left(place.host.settings.state_dir, place.carry(THREE)).read()
    assert parts.head.state == STOPPED
    assert parts.head.totals.queued == 4
    assert [task.best.tries for task in parts.facts] == [()] * 4


def write_events(state: Path, *told: tuple[BatchEventKind, int, str]) -> None:
    path = events_file(state, "b")
    path.parent.mkdir(parents=True)
    events = [BatchEvent(at=at, kind=kind, task="t", number=number, run=f"run-{number}") for kind, number, at in told]
    path.write_text("".join(event.model_dump_json() + "\n" for event in events))


def test_what_another_process_took_up_is_one_try_and_what_nobody_saw_end_ends_with_the_next(tmp_path: Path) -> None:
    write_events(
        tmp_path, ("began", 1, "1"), ("began", 1, "2"), ("again", 1, "3"), ("began", 2, "4"), ("began", 3, "5")
    )
    tries = tries_of(tmp_path, "b")["t", 1]
    assert [(each.number, each.began_at, each.ended_at) for each in tries] == [
        (1, "1", "3"),
        (2, "4", "5"),
        (3, "5", ""),
    ]


def test_long_texts_and_lists_are_cut_and_named() -> None:
    check = CheckResult(command="make", exit_code=1, seconds=1, output="x" * 10**6)
    long = result_with(answer="y" * 10**6, notices=("n",) * 1000, check=check, touched=("a",))
    short, cut = bounded(long)
    assert cut == ("notices", "answer", "check")
    assert (len(short.answer), len(short.notices)) == (MOST_ANSWER, MOST_LISTED)
    assert short.check is not None
    assert len(short.check.output) < 10_000
    whole = result_with(answer="y")
    assert bounded(whole) == (whole, ())


def test_what_ran_when_the_batchs_process_died_is_told_as_interrupted(left: Left) -> None:
    with Batches(left.state / LEDGER_NAME) as batches:
        batches._change("UPDATE batches SET state = 'running', owner_started = 1")
        batches._change("UPDATE batch_attempts SET state = 'running' WHERE task = 1")
    parts = left.read()
    assert (parts.head.state, parts.head.totals.interrupted, parts.head.totals.running) == ("interrupted", 1, 0)
    (works,) = (task for task in parts.facts if task.name == "works")
    assert (works.state, works.best.state, works.ok) == ("interrupted", "interrupted", False)
