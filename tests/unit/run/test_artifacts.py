"""Artifacts in whole runs: they come whatever became of the commits, and the result and the commands name them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from runner.cli.app import app
from runner.errors import PaddockError, RefusedError, RunNotFoundError
from runner.model.result import Outcome
from runner.run import collect, finish
from runner.run.execute import run_task
from runner.sandbox.fake import FakeBox
from runner.store import artifacts as store
from runner.store.runs import RunPaths
from tests.unit.run.fake_host import FakeHost, git
from tests.unit.run.test_recovery import dying_in, orphan, recover


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    fake = FakeHost(tmp_path)
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(fake.state))
    return fake


def reports(box: FakeBox) -> int:
    """An answer in a file, and pictures that git ignores."""
    workspace = box.path("/workspace")
    (workspace / ".git/info").mkdir(exist_ok=True)
    (workspace / "report.md").write_text("the answer\n")
    (workspace / "out").mkdir()
    (workspace / "out/a.png").write_bytes(b"\x89PNG")
    return 0


def fails(box: FakeBox) -> int:
    reports(box)
    return 7


def is_rejected(box: FakeBox) -> int:
    reports(box)
    workspace = box.path("/workspace")
    tree = git(workspace, "rev-parse", "HEAD^{tree}")
    git(workspace, "update-ref", "HEAD", git(workspace, "commit-tree", tree, "-m", "no parents"))
    return 0


def paddock(*words: str) -> str:
    """What a command prints."""
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None:
        raise done.exception
    return done.output


GLOBS = ("report.md", "out/*.png")


@pytest.mark.parametrize(
    ("agent", "outcome"),
    [(reports, Outcome.NO_CHANGES), (fails, Outcome.AGENT_FAILED), (is_rejected, Outcome.REJECTED)],
)
def test_artifacts_come_whatever_becomes_of_the_commits(fake: FakeHost, agent: object, outcome: Outcome) -> None:
    result = run_task(fake.task(agent, artifacts=GLOBS), fake.host())  # type: ignore[arg-type]
    assert result.outcome is outcome
    assert {each.name: each.size for each in result.artifacts} == {"report.md": 11, "out/a.png": 4}
    kept = Path(result.paths["artifacts"])
    assert ((kept / "report.md").read_text(), (kept / "out/a.png").read_bytes()) == ("the answer\n", b"\x89PNG")
    assert "workspace" not in result.paths


def test_a_policy_and_a_task_both_ask(fake: FakeHost, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('artifacts = ["report.md"]\n')
    result = run_task(fake.task(reports, policy=str(policy), artifacts=["out", "none"]), fake.host())
    assert sorted(each.name for each in result.artifacts) == ["out/a.png", "report.md"]
    assert "No file matches the artifact none" in result.notices
    effective = json.loads((Path(result.paths["run"]) / "policy.json").read_text())
    assert effective["artifacts"] == ["report.md", "out", "none"]


def test_a_ceiling_bounds_what_the_command_line_asks_for(fake: FakeHost, tmp_path: Path) -> None:
    ceiling = tmp_path / "ceiling.toml"
    ceiling.write_text('artifacts = ["report.md"]\n')
    host = replace(fake.host(), ceilings=(ceiling,))
    result = run_task(fake.task(reports, artifacts=["report.md", "out"]), host)
    assert [each.name for each in result.artifacts] == ["report.md"]


def test_a_glob_that_leads_out_is_refused(fake: FakeHost) -> None:
    with pytest.raises(RefusedError, match=r'--artifact: "\.\./x" contains "\.\."'):
        run_task(fake.task(reports, artifacts=["../x"]), fake.host())


def test_what_could_not_be_kept_stays_in_the_workspace(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(store, "_pour", full)
    result = run_task(fake.task(reports, artifacts=GLOBS), fake.host())
    assert (result.outcome, result.artifacts) == (Outcome.REJECTED, ())
    why = "the artifact report.md could not be kept: No space left on device"
    assert [notice for notice in result.notices if "the workspace is kept in" in notice and why in notice] != []
    assert (Path(result.paths["workspace"]) / "report.md").read_text() == "the answer\n"


@pytest.mark.parametrize(
    ("place", "name", "after"),
    [
        (collect, "take_artifacts", False),
        (collect, "take_artifacts", True),
        (collect, "gather_evidence", False),
        (finish, "remove_workspace", True),
        (finish, "keep_record", True),
    ],
)
def test_artifacts_get_out_wherever_paddock_died(
    fake: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: object, name: str, *, after: bool
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('artifacts = ["report.md"]\n')
    monkeypatch.setattr(fake, "task", partial(fake.task, policy=str(policy), artifacts=["out"]))
    with dying_in(place, name, monkeypatch, after=after):
        paths = orphan(fake, reports)
    result = recover(fake, paths)
    assert sorted(each.name for each in result.artifacts) == ["out/a.png", "report.md"]
    assert (paths.artifacts / "report.md").read_text() == "the answer\n"
    assert [path.name for path in paths.directory.glob("*.partial")] == []
    assert "Everything is as the record says." in paddock("verify", result.id)


def test_the_commands_name_them(fake: FakeHost, tmp_path: Path) -> None:
    result = run_task(fake.task(reports, artifacts=GLOBS), fake.host())
    listed = paddock("artifacts", result.id).splitlines()
    assert [line.split()[-1] for line in listed] == ["NAME", "report.md", "out/a.png"]
    assert json.loads(paddock("artifacts", "--json")) == [each.model_dump() for each in result.artifacts]
    assert "left no commits; what it hands over are artifacts." in paddock("show", result.id)
    assert "  artifacts report.md  (11 B)\n            out/a.png  (4 B)\n" in paddock("show", result.id)
    paddock("artifacts", result.id, "--to", str(tmp_path / "mine"))
    assert (tmp_path / "mine/report.md").read_text() == "the answer\n"
    with pytest.raises(RefusedError, match=r"has report.md already"):
        paddock("artifacts", result.id, "--to", str(tmp_path / "mine"))


def test_a_run_without_artifacts_says_so(fake: FakeHost, tmp_path: Path) -> None:
    result = run_task(fake.task(reports), fake.host())
    assert result.artifacts == ()
    with pytest.raises(RunNotFoundError, match="handed no artifacts over"):
        paddock("artifacts", result.id)


def test_a_changed_artifact_is_not_copied(fake: FakeHost, tmp_path: Path) -> None:
    result = run_task(fake.task(reports, artifacts=GLOBS), fake.host())
    (RunPaths(Path(result.paths["run"])).artifacts / "report.md").write_text("THE ANSWER\n")
    with pytest.raises(PaddockError, match="its content has changed since"):
        paddock("artifacts", result.id, "--to", str(tmp_path / "mine"))
