"""A run whose Paddock died, at whatever moment, or failed to collect: its work still gets out, once and whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.errors import EngineError, RefusedError, StoreError
from runner.model.result import Outcome, RunResult
from runner.run import check, collect, finish, journal
from runner.run.execute import run_task
from runner.run.take_up import end_orphan
from runner.sandbox.engine import Found
from runner.sandbox.fake import FakeBox, FakeEngine
from runner.store.ledger import ENDED, Ledger, RunRow
from runner.store.owner import this_process
from runner.store.runs import RunPaths, keeps_work, read_result, run_paths
from tests.unit.run.fake_host import FakeHost, collect_here, git
from tests.unit.run.test_execute import commits

DEAD = 2**22


class PowerCutError(BaseException):
    """Paddock is gone from one moment to the next: nothing of ours catches this."""


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def works(box: FakeBox) -> int:
    """A commit, and a file left uncommitted."""
    commits(box)
    (box.path("/workspace") / "half.txt").write_text("half done\n", encoding="utf-8")
    return 0


@contextmanager
def dying_in(place: object, name: str, monkeypatch: pytest.MonkeyPatch, *, after: bool = False) -> Iterator[None]:
    """Die when a function is called, or has just done its work."""
    real: Callable[..., object] = getattr(place, name)

    def dies(*argv: object, **options: object) -> None:
        if after:
            real(*argv, **options)
        raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(place, name, dies)
        yield


def orphan(fake: FakeHost, program: Callable[[FakeBox], int] = works) -> RunPaths:
    """A run whose Paddock dies in it; its row names a process that there is not."""
    with pytest.raises(PowerCutError):
        run_task(fake.task(program), fake.host())
    with Ledger(fake.host().ledger) as ledger:
        (row,) = ledger.list()
        assert ledger.take_over(row.id, row, DEAD, 1)
    return run_paths(fake.state, row.id)


def recover(fake: FakeHost, paths: RunPaths) -> RunResult:
    """What `paddock recover` does."""
    host = fake.host()
    with Ledger(host.ledger) as ledger:
        row = ledger.get(paths.id)
        assert row is not None
        result = end_orphan(row, paths, host, ledger)
        assert ledger.get(paths.id) == row._replace(
            state=ENDED,
            owner_pid=this_process()[0],
            owner_started=this_process()[1],
            phase=(ledger.get(paths.id) or row).phase,
            outcome=result.outcome.value,
            exit_code=result.exit_code,
            ended_at=result.ended_at,
            branch=result.branch,
            commits=len(result.commits),
        )
    assert read_result(paths) == result
    return result


def assert_all_is_there(fake: FakeHost, result: RunResult) -> None:
    assert (result.branch, fake.branches()) == (f"paddock/{result.id}", ["main", f"paddock/{result.id}"])
    assert [commit.subject for commit in result.commits] == ["add new.txt", "paddock: uncommitted work"]
    assert git(fake.repository, "ls-tree", "--name-only", result.branch).split() == ["README", "half.txt", "new.txt"]
    kept = {entry.name for entry in Path(result.paths["run"]).iterdir()}
    assert kept <= {
        *("task.json", "policy.json", "policy_files.json", "spec.json", "record.json", "result.json"),
        *("events.jsonl", "agent.log", "changes.bundle", "diff.patch"),
    }


MOMENTS = {
    "before the collection": (collect, "open_quarantine", False),
    "while the bundle is looked at": (collect, "gather_evidence", False),
    "after the patch is written": (collect, "write_patch", True),
    "before the import": (collect, "bring_home", False),
    "after the import": (collect, "bring_home", True),
    "before the clean-up": (finish, "remove_leftovers", False),
    "after the clean-up": (finish, "remove_leftovers", True),
    "after the result": (finish, "write_result", True),
    "before the row is closed": (journal.Journal, "close", False),
}


def test_a_check_that_paddock_died_in_leaves_nothing_behind_and_is_not_taken_for_one_that_succeeded(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.engine.programs["sh"] = lambda _: 1
    fake.engine.programs["program"] = works
    with dying_in(check, "remove_tree", monkeypatch), pytest.raises(PowerCutError):
        run_task(fake.task(works, check="make test"), fake.host())
    with Ledger(fake.host().ledger) as ledger:
        (row,) = ledger.list()
        assert ledger.take_over(row.id, row, DEAD, 1)
    result = recover(fake, run_paths(fake.state, row.id))
    assert result.outcome is Outcome.COMPLETED
    assert "The check did not run to its end: make test" in result.notices
    assert not [entry.name for entry in Path(result.paths["run"]).iterdir() if entry.name.startswith("check-")]


@pytest.mark.parametrize("moment", MOMENTS)
def test_the_work_gets_out_wherever_paddock_died(fake: FakeHost, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, name, after = MOMENTS[moment]
    with dying_in(place, name, monkeypatch, after=after):
        paths = orphan(fake)
    result = recover(fake, paths)
    assert (result.outcome, result.agent_exit_code) == (Outcome.COMPLETED, 0)
    assert_all_is_there(fake, result)


def test_an_agent_that_somebody_killed_has_not_failed_also_when_its_paddock_died_after_it(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(box: FakeBox) -> int:
        works(box)
        box.received.append("SIGKILL")
        return 137

    with dying_in(collect, "open_quarantine", monkeypatch):
        paths = orphan(fake, killed)
    result = recover(fake, paths)
    assert (result.outcome, "ended from outside" in result.reason) == (Outcome.ENGINE_FAILED, True)
    assert [commit.subject for commit in result.commits] == ["add new.txt", "paddock: uncommitted work"]


def test_a_workspace_that_was_being_removed_is_not_taken_for_the_agents_work(
    fake: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removes_half(path: Path) -> list[str]:
        for folder in (path, path.with_name("workspace")):
            (folder / "README").unlink(missing_ok=True)
        if path.name.startswith("workspace") and path.exists():
            raise PowerCutError
        return []

    with monkeypatch.context() as patch:
        patch.setattr(finish, "remove_tree", removes_half)
        paths = orphan(fake)
    assert not keeps_work(paths)
    result = recover(fake, paths)
    assert result.outcome is Outcome.COMPLETED
    assert_all_is_there(fake, result)


@pytest.mark.parametrize("name", ["changes.bundle.partial", "diff.patch.partial"])
def test_half_written_files_are_in_nobodys_way(fake: FakeHost, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with dying_in(collect, "open_quarantine", monkeypatch):
        paths = orphan(fake)
    (paths.directory / name).write_text("half")
    assert_all_is_there(fake, recover(fake, paths))


def test_of_two_who_end_the_same_run_at_once_one_is_told_so(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    with dying_in(collect, "open_quarantine", monkeypatch):
        paths = orphan(fake)
    host = fake.host()
    with Ledger(host.ledger) as ledger:
        row = ledger.get(paths.id)
        assert row is not None
        assert ledger.take_over(row.id, row, DEAD + 1, 1), "somebody else is quicker"
        with pytest.raises(RefusedError, match="Another Paddock is ending"):
            end_orphan(row, paths, host, ledger)
    assert keeps_work(paths)


def test_an_engine_that_does_not_answer_changes_nothing(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    with dying_in(collect, "open_quarantine", monkeypatch):
        paths = orphan(fake)
    away = fake.engine
    fake.engine = Away({"collector": collect_here})
    host = fake.host()
    with Ledger(host.ledger) as ledger:
        row = ledger.get(paths.id)
        assert row is not None
        with pytest.raises(EngineError, match="the power went out"):
            end_orphan(row, paths, host, ledger)
        assert ledger.get(paths.id) == row
    fake.engine = away
    assert_all_is_there(fake, recover(fake, paths))


class Away(FakeEngine):
    def find(self, *, run: str = "", state: str = "") -> list[Found]:
        raise EngineError("the power went out")


def test_what_was_not_collected_is_collected_later(fake: FakeHost) -> None:
    fake.engine = Away({"collector": collect_here})
    lost = run_task(fake.task(works), fake.host())
    assert lost.outcome is Outcome.ENGINE_FAILED
    assert f"paddock recover {lost.id}" in lost.next
    assert any("kept in" in notice and lost.paths["workspace"] in notice for notice in lost.notices)
    fake.engine = FakeEngine({"collector": collect_here})
    found = recover(fake, RunPaths(Path(lost.paths["run"])))
    assert (found.outcome, found.agent_exit_code) == (Outcome.COMPLETED, 0)
    assert_all_is_there(fake, found)


def test_a_failed_recovery_of_a_run_that_is_over_leaves_it_as_it_was(fake: FakeHost) -> None:
    fake.engine = Away({"collector": collect_here})
    lost = run_task(fake.task(works), fake.host())
    host = fake.host()
    with Ledger(host.ledger) as ledger:
        row: RunRow | None = ledger.get(lost.id)
        assert row is not None
        with pytest.raises(EngineError):
            end_orphan(row, RunPaths(Path(lost.paths["run"])), host, ledger)
        assert ledger.get(lost.id) == row


@pytest.mark.parametrize("content", ["", "{}", "[", '{"head_branch": 3}'])
def test_a_broken_record_is_told_in_a_sentence(fake: FakeHost, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with dying_in(collect, "open_quarantine", monkeypatch):
        paths = orphan(fake)
    paths.recovery.write_text(content)
    host = fake.host()
    with Ledger(host.ledger) as ledger:
        row = ledger.get(paths.id)
        assert row is not None
        with pytest.raises(StoreError, match=r"recovery\.json cannot be read as what Paddock wrote there"):
            end_orphan(row, paths, host, ledger)
    assert keeps_work(paths)
