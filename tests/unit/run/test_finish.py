"""The end of a run: what is kept, what that means for the outcome, and what to type next."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import EngineError
from runner.model.result import Outcome, RunResult
from runner.repo import quarantine
from runner.run.execute import run_task
from runner.sandbox.fake import FakeBox, FakeEngine
from tests.unit.run.fake_host import FakeHost, collect_here, git
from tests.unit.run.test_execute import commits


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def unrelated(box: FakeBox) -> int:
    """A tag on a commit that builds on nothing."""
    workspace = box.path("/workspace")
    tree = git(workspace, "rev-parse", "HEAD^{tree}")
    git(workspace, "tag", "alone", git(workspace, "commit-tree", tree, "-m", "no parents"))
    return 0


def assert_kept(result: RunResult, why: str) -> None:
    workspace = Path(result.paths["workspace"])
    assert (workspace / ".git").is_dir()
    assert [notice for notice in result.notices if str(workspace) in notice and why in notice] != []


def test_what_cannot_come_out_is_no_run_without_changes(fake: FakeHost) -> None:
    result = run_task(fake.task(unrelated), fake.host())
    assert (result.outcome, result.exit_code) == (Outcome.REJECTED, 20)
    assert result.reason == "what the agent left could not be collected, and is in its workspace"
    assert_kept(result, "refs/tags/alone: it does not build on")


def test_a_completed_run_says_what_it_keeps(fake: FakeHost) -> None:
    def both(box: FakeBox) -> int:
        return commits(box) + unrelated(box)

    result = run_task(fake.task(both), fake.host())
    assert (result.outcome, result.branch) == (Outcome.COMPLETED, f"paddock/{result.id}")
    assert_kept(result, "refs/tags/alone")


def test_a_stash_comes_as_a_branch_and_nothing_is_kept(fake: FakeHost) -> None:
    def stashes(box: FakeBox) -> int:
        workspace = box.path("/workspace")
        (workspace / "README").write_text("stashed\n", encoding="utf-8")
        git(workspace, "stash")
        return 0

    result = run_task(fake.task(stashes), fake.host())
    assert (result.outcome, result.branch) == (Outcome.COMPLETED, f"paddock/{result.id}+stash")
    assert git(fake.repository, "show", f"{result.branch}:README") == "stashed"
    assert "workspace" not in result.paths


def test_a_bundle_that_is_too_large_leaves_the_workspace(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MAX_BUNDLE_SIZE", 100)
    result = run_task(fake.task(commits), fake.host())
    assert (result.outcome, "bundle" in result.paths) == (Outcome.REJECTED, False)
    assert_kept(result, "the bundle could not be kept")
    assert (Path(result.paths["workspace"]) / "new.txt").exists()


def test_a_repository_inside_of_an_ignored_folder_is_no_work(fake: FakeHost) -> None:
    def installs(box: FakeBox) -> int:
        workspace = box.path("/workspace")
        (workspace / ".git/info/exclude").parent.mkdir(exist_ok=True)
        for name in ("ignored", "taken"):
            folder = workspace / "modules" / name
            folder.mkdir(parents=True)
            git(folder, "init", "--quiet")
        (workspace / ".gitignore").write_text("/modules/ignored/\n", encoding="utf-8")
        return 0

    result = run_task(fake.task(installs), fake.host())
    assert result.outcome is Outcome.COMPLETED
    notice = next(notice for notice in result.notices if "the workspace is kept" in notice)
    assert ("modules/taken" in notice, "modules/ignored" in notice) == (True, False)


def test_a_container_that_stays_is_told_and_spoils_nothing(fake: FakeHost) -> None:
    class Sticky(FakeBox):
        def close(self) -> None:
            super().close()
            if self.spec.argv:
                self._engine.boxes[self.id] = self
                raise EngineError("it stays")

    class StickyEngine(FakeEngine):
        def create(self, spec, secrets):  # type: ignore[no-untyped-def]
            box = Sticky(self, spec.name, spec, secrets)
            self.boxes[box.id] = box
            return box

    fake.engine = StickyEngine({"collector": collect_here})
    result = run_task(fake.task(commits), fake.host())
    assert (result.outcome, result.branch, result.reason) == (Outcome.COMPLETED, f"paddock/{result.id}", "")
    assert [leak for leak in result.leaks if "it stays" in leak] != []


def test_what_paddock_merge_refuses_is_offered_as_git(fake: FakeHost, tmp_path: Path) -> None:
    assert "paddock merge" in " ".join(run_task(fake.task(commits), fake.host()).next)
    bare = tmp_path / "a bare one.git"
    git(fake.repository, "clone", "--quiet", "--bare", ".", str(bare))
    result = run_task(fake.task(commits, repo=str(bare)), fake.host())
    assert f"git fetch '{bare}' {result.branch}" in result.next
    assert "paddock merge" not in " ".join(result.next)
