"""Prune takes what nobody needs, and nothing that somebody may need."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runner.model.result import RunResult
from runner.run.cleaning import Prune, prune_state
from runner.run.execute import run_task
from runner.sandbox.engine import Found
from runner.sandbox.fake import FakeEngine
from runner.store.batches import Batches, BatchRow, TaskRow
from runner.store.given_policies import given_policies
from runner.store.ledger import Ledger, RunRow
from runner.store.owner import this_process
from runner.store.runs import RunPaths, keeps_work
from tests.unit.run.fake_host import FakeHost, collect_here
from tests.unit.run.test_execute import commits


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def ledger(fake: FakeHost) -> Iterator[Ledger]:
    with Ledger(fake.host().ledger) as opened:
        yield opened


ALL = Prune(before=datetime.now(UTC) + timedelta(days=1))


def kept_run(fake: FakeHost) -> RunResult:
    """A run that is over, with the only copy of its work in its workspace."""
    fake.engine.programs["collector"] = lambda _: 1
    result = run_task(fake.task(commits), fake.host())
    fake.engine.programs["collector"] = collect_here
    assert keeps_work(RunPaths(Path(result.paths["run"])))
    return result


def test_the_only_copy_of_work_is_kept_and_told(fake: FakeHost, ledger: Ledger) -> None:
    result = kept_run(fake)
    lines = prune_state(fake.state, ledger, fake.engine, ALL)
    assert lines == [f"kept {result.id}: work that was not collected is in {result.paths['workspace']}"]
    assert (Path(result.paths["workspace"]) / "new.txt").exists()


def test_it_goes_by_force(fake: FakeHost, ledger: Ledger) -> None:
    result = kept_run(fake)
    asked = Prune(before=ALL.before, force=True)
    assert prune_state(fake.state, ledger, fake.engine, asked) == [f"run {result.id}"]
    assert not Path(result.paths["run"]).exists()


def test_a_lost_ledger_throws_no_work_away(fake: FakeHost, ledger: Ledger) -> None:
    result = kept_run(fake)
    ledger.remove(result.id)
    age(Path(result.paths["run"]))
    (line,) = prune_state(fake.state, ledger, fake.engine, ALL)
    assert line.startswith(f"kept directory {result.id}: work that was not collected")
    assert Path(result.paths["workspace"]).exists()


def age(folder: Path) -> None:
    old = time.time() - 660
    os.utime(folder, (old, old))


def test_a_directory_that_is_too_young_is_kept_and_told(fake: FakeHost, ledger: Ledger) -> None:
    young, old = (fake.state / "runs" / name for name in ("young", "old"))
    for folder in (young, old):
        folder.mkdir(parents=True)
    age(old)
    lines = prune_state(fake.state, ledger, fake.engine, Prune())
    assert lines == [
        "directory old",
        "kept directory young: it is younger than ten minutes, so its run may be about to begin",
    ]
    assert (young.exists(), old.exists()) == (True, False)


def test_a_run_that_begins_meanwhile_loses_nothing(fake: FakeHost, ledger: Ledger) -> None:
    class Beginning(FakeEngine):
        """While it lists containers, another Paddock begins a run."""

        removed: list[str] = []

        def find(self, *, run: str = "", state: str = "") -> list[Found]:
            folder = fake.state / "runs/begins"
            folder.mkdir(parents=True)
            age(folder)
            pid, started = this_process()
            ledger.add(
                RunRow(
                    id="begins",
                    repo="/r",
                    agent="a",
                    policy="p",
                    created_at="2026-11-20T12:00:00Z",
                    owner_pid=pid,
                    owner_started=started,
                )
            )
            return [Found(id="x", name="x", run="begins", role="sandbox", running=True)]

        def open(self, container: str):  # type: ignore[no-untyped-def]
            self.removed.append(container)
            return super().open(container)

    engine = Beginning({})
    assert prune_state(fake.state, ledger, engine, Prune()) == []
    assert ((fake.state / "runs/begins").exists(), engine.removed) == (True, [])


def test_a_librarys_policy_goes_with_the_last_run_or_batch_that_names_it(fake: FakeHost, ledger: Ledger) -> None:
    named, batched, unnamed, young = (given_policies(fake.state) / f"{digit * 64}.toml" for digit in "abcd")
    named.parent.mkdir(parents=True)
    for file in (named, batched, unnamed, young):
        file.write_text("")
        os.utime(file, (0, 0) if file != young else None)
    run_task(fake.task(commits, policy=str(named)), fake.host())
    task = TaskRow(1, "a", "/r", "command", "", 1.0, 1, "[]", "[]")
    with Batches(fake.host().ledger) as batches:
        row = BatchRow("b", "", "sha256:0", "{}", "2026-11-21T00:00:00Z", 1, 1)
        batches.add(row, [(task, f'{{"task":{{"policy":"{batched}"}}}}', 1)])

    assert prune_state(fake.state, ledger, fake.engine, Prune(dry_run=True)) == ["policy cccccccccccc"]
    assert prune_state(fake.state, ledger, fake.engine, Prune()) == ["policy cccccccccccc"]
    assert sorted(named.parent.iterdir()) == [named, batched, young]
    assert prune_state(fake.state, ledger, fake.engine, ALL)[-1] == "policy aaaaaaaaaaaa"
