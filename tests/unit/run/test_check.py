"""The user's own check: on what was committed, in a sandbox of its own that has nothing of the agent's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.errors import EngineError
from runner.model.result import Outcome
from runner.run.execute import run_task
from runner.sandbox.fake import FakeBox
from runner.store.runs import read_result, run_paths
from tests.unit.run.model_agent import KEY, ModelHost, commit, ended, say, started


@pytest.fixture
def fake(tmp_path: Path) -> ModelHost:
    return ModelHost(tmp_path)


def works(box: FakeBox) -> int:
    commit(box, "new.txt")
    (box.path("/workspace") / "left.txt").write_text("left uncommitted")
    say(box, started(), ended("done"))
    return 0


def test_a_check_that_succeeds_is_in_the_result(fake: ModelHost) -> None:
    fake.agent = works
    result = run_task(fake.ask(check="make test"), fake.host())
    assert (result.outcome, result.exit_code) == (Outcome.COMPLETED, 0)
    assert result.check is not None
    assert (result.check.command, result.check.exit_code, result.check.failed) == ("make test", 0, False)


def test_a_check_that_fails_is_an_outcome_of_its_own_and_the_branch_stays(fake: ModelHost) -> None:
    def fails(box: FakeBox) -> int:
        box.write(b"2 tests failed\n")
        return 3

    fake.agent, fake.check = works, fails
    result = run_task(fake.ask(check="make test"), fake.host())
    assert (result.outcome, result.exit_code) == (Outcome.CHECK_FAILED, 17)
    assert result.branch in fake.branches()
    assert result.check is not None
    assert (result.check.exit_code, result.check.output) == (3, "2 tests failed\n")
    assert read_result(run_paths(fake.state, result.id)) == result


def test_the_check_sees_the_commits_and_neither_network_nor_secrets_nor_the_agents_own_files(fake: ModelHost) -> None:
    seen: dict[str, Any] = {}

    def look(box: FakeBox) -> int:
        workspace = box.path("/workspace")
        seen["files"] = sorted(path.name for path in workspace.iterdir())
        seen["workspace"] = workspace
        seen["spec"] = box.spec
        seen["secrets"] = box.secrets
        return 0

    def agent(box: FakeBox) -> int:
        seen["of the agent"] = box.path("/workspace")
        return works(box)

    fake.agent, fake.check = agent, look
    task = fake.ask(check="true", environment={"MY_TOKEN": "t0p-secret-value", "PLAIN": "1"})
    assert run_task(task, fake.host()).outcome is Outcome.COMPLETED
    spec = seen["spec"]
    assert seen["files"] == [".git", "README", "left.txt", "new.txt"]
    assert seen["workspace"] != seen["of the agent"]
    assert (spec.network, seen["secrets"], spec.secret_environment) == ("none", {}, ())
    assert spec.environment["PLAIN"] == "1"
    assert "ANTHROPIC_API_KEY" not in spec.environment
    assert {mount.target for mount in spec.mounts if mount.mode == "rw"} == {"/workspace"}


def test_what_the_check_writes_reaches_nobody_and_its_folders_go(fake: ModelHost) -> None:
    def writes(box: FakeBox) -> int:
        commit(box, "by-the-check.txt")
        return 0

    fake.agent, fake.check = works, writes
    result = run_task(fake.ask(check="true"), fake.host())
    assert [commit.subject for commit in result.commits] == ["add new.txt", "paddock: uncommitted work"]
    assert not [path for path in Path(result.paths["run"]).iterdir() if path.name.startswith("check-")]
    assert (result.leaks, fake.engine.boxes) == ((), {})


def test_work_that_changed_nothing_is_checked_as_it_was(fake: ModelHost) -> None:
    result = run_task(fake.ask(check="true"), fake.host())
    assert result.check is not None
    assert result.outcome is Outcome.NO_CHANGES


@pytest.mark.parametrize("code", [1, 137])
def test_an_agent_that_failed_is_not_checked(fake: ModelHost, code: int) -> None:
    fake.agent = lambda _: code
    result = run_task(fake.ask(check="true"), fake.host())
    assert (result.outcome, result.check) == (Outcome.AGENT_FAILED, None)


def test_a_check_that_hangs_is_stopped_by_the_policys_limits(fake: ModelHost) -> None:
    policy = fake.home / "policy.toml"
    policy.write_text('extends = "offline"\n[limits]\nwall_clock = "1s"\ngrace = "1s"\n')

    def hangs(box: FakeBox) -> int:
        box.sleep(60)
        return 0

    fake.agent, fake.check = works, hangs
    result = run_task(fake.ask(check="sleep 60", policy=str(policy)), fake.host())
    assert result.outcome is Outcome.CHECK_FAILED
    assert result.check is not None
    assert result.check.stopped is Outcome.TIMED_OUT


def test_an_engine_that_fails_during_the_check_is_told_and_the_branch_is_there(
    fake: ModelHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = fake.engine.create

    def breaks(spec: object, secrets: object) -> FakeBox:
        if spec.argv[-1:] == ("true",):  # type: ignore[attr-defined]
            raise EngineError("no more containers")
        return create(spec, secrets)  # type: ignore[arg-type]

    monkeypatch.setattr(fake.engine, "create", breaks)
    fake.agent = works
    result = run_task(fake.ask(check="true"), fake.host())
    assert (result.outcome, result.check) == (Outcome.ENGINE_FAILED, None)
    assert result.branch in fake.branches()


def test_a_secret_that_the_agent_committed_is_masked_in_what_the_check_prints(fake: ModelHost) -> None:
    def tells(box: FakeBox) -> int:
        box.write(b"the secret is t0p-secret-value, the key is " + KEY.encode() + b"\n")
        return 1

    fake.agent, fake.check = works, tells
    result = run_task(fake.ask(check="make test", environment={"MY_TOKEN": "t0p-secret-value"}), fake.host())
    assert result.check is not None
    assert result.check.output == "the secret is [secret], the key is [secret]\n"
    assert b"t0p-secret-value" not in run_paths(fake.state, result.id).check_log.read_bytes()
