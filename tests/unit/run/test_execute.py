"""A whole run on the fake engine: evidence first, work collected after every end, nothing left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.errors import EngineError, RefusedError, UsageError
from runner.model.events import Ended, Phase, PhaseStarted
from runner.model.result import Outcome, RunResult
from runner.run.execute import run_task
from runner.run.take_up import end_orphan
from runner.sandbox.fake import FakeBox, FakeEngine
from runner.sandbox.fake_facts import FACTS
from runner.store.ledger import Ledger
from runner.store.runs import RunPaths, read_result
from tests.unit.run.fake_host import FakeHost, collect_here, git


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


def commits(box: FakeBox) -> int:
    workspace = box.path("/workspace")
    (workspace / "new.txt").write_text("new\n", encoding="utf-8")
    git(workspace, "add", "new.txt")
    git(workspace, "commit", "--quiet", "--message", "add new.txt")
    return 0


def paths_of(result: RunResult) -> RunPaths:
    return RunPaths(Path(result.paths["run"]))


def test_commits_become_a_new_branch_and_nothing_else_of_the_repository_moves(fake: FakeHost) -> None:
    head = git(fake.repository, "rev-parse", "HEAD")
    result = run_task(fake.task(commits), fake.host())
    assert (result.outcome, result.exit_code) == (Outcome.COMPLETED, 0)
    assert result.branch == f"paddock/{result.id}"
    assert [commit.subject for commit in result.commits] == ["add new.txt"]
    assert fake.branches() == ["main", result.branch]
    assert git(fake.repository, "rev-parse", "HEAD") == head == result.base
    assert git(fake.repository, "status", "--porcelain") == ""


def test_the_result_on_the_disk_is_the_result_that_is_returned(fake: FakeHost) -> None:
    result = run_task(fake.task(commits), fake.host())
    assert read_result(paths_of(result)) == result


def test_an_agent_that_leaves_nothing_makes_no_branch(fake: FakeHost) -> None:
    result = run_task(fake.task(), fake.host())
    assert (result.outcome, result.branch, fake.branches()) == (Outcome.NO_CHANGES, "", ["main"])


def test_no_changes_has_an_exit_code_of_its_own_where_changes_were_expected(fake: FakeHost) -> None:
    assert run_task(fake.task(expect_changes=True), fake.host()).exit_code == 3


def test_uncommitted_work_is_collected_also_when_the_agent_fails(fake: FakeHost) -> None:
    def leaves_work(box: FakeBox) -> int:
        (box.path("/workspace") / "half.txt").write_text("half done\n", encoding="utf-8")
        return 4

    result = run_task(fake.task(leaves_work), fake.host())
    assert (result.outcome, result.exit_code, result.agent_exit_code) == (Outcome.AGENT_FAILED, 10, 4)
    assert result.uncommitted_collected
    assert git(fake.repository, "show", f"{result.branch}:half.txt") == "half done"


def test_a_rewritten_history_is_rejected_and_its_bundle_kept(fake: FakeHost) -> None:
    def rewrites(box: FakeBox) -> int:
        git(box.path("/workspace"), "commit", "--quiet", "--amend", "--message", "not the first")
        return 0

    result = run_task(fake.task(rewrites), fake.host())
    assert (result.outcome, result.exit_code) == (Outcome.REJECTED, 20)
    assert "blocked by ancestry" in result.reason
    assert fake.branches() == ["main"]
    assert Path(result.paths["bundle"]).stat().st_size > 0


def test_evidence_is_on_the_disk_before_the_agent_begins(fake: FakeHost) -> None:
    seen: list[str] = []

    def looks(box: FakeBox) -> int:
        seen.extend(sorted(path.name for path in box.path("/workspace").parent.glob("*.json")))
        return 0

    run_task(fake.task(looks), fake.host())
    assert seen == ["policy.json", "policy_files.json", "spec.json", "task.json"]


def test_phases_come_in_their_order_and_the_end_comes_last(fake: FakeHost) -> None:
    run_task(fake.task(commits), fake.host())
    phases = [event.phase for event in fake.events if isinstance(event, PhaseStarted)]
    assert phases == [phase for phase in Phase if phase in phases]
    assert isinstance(fake.events[-1], Ended)


def test_nothing_is_left_of_a_run_but_its_record(fake: FakeHost) -> None:
    result = run_task(fake.task(commits), fake.host())
    assert (fake.engine.boxes, result.leaks) == ({}, ())
    assert sorted(path.name for path in paths_of(result).directory.iterdir()) == [
        "agent.log",
        "changes.bundle",
        "diff.patch",
        "events.jsonl",
        "policy.json",
        "policy_files.json",
        "record.json",
        "result.json",
        "spec.json",
        "task.json",
    ]


def test_a_secret_variable_reaches_the_agent_and_no_file(fake: FakeHost) -> None:
    def prints(box: FakeBox) -> int:
        box.write(f"token is {box.secrets['API_TOKEN']}".encode())
        return 0

    result = run_task(fake.task(prints, environment={"API_TOKEN": "s3cr3t-v4lue", "PLAIN": "seen"}), fake.host())
    assert bytes(fake.output) == b"token is [secret]"
    files = [path for path in paths_of(result).directory.rglob("*") if path.is_file()]
    assert [path for path in files if b"s3cr3t-v4lue" in path.read_bytes()] == []
    assert json.loads(paths_of(result).task.read_text())["environment"] == {"API_TOKEN": "[secret]", "PLAIN": "seen"}


def test_a_request_to_cancel_before_the_start_starts_nothing(fake: FakeHost) -> None:
    fake.cancellation.request()
    result = run_task(fake.task(commits), fake.host())
    assert (result.outcome, result.exit_code, fake.branches()) == (Outcome.CANCELLED, 130, ["main"])


def test_a_cancelled_agents_work_is_collected(fake: FakeHost) -> None:
    def commits_and_waits(box: FakeBox) -> int:
        commits(box)
        fake.cancellation.request()
        while True:
            box.sleep(0.05)

    result = run_task(fake.task(commits_and_waits), fake.host())
    assert (result.outcome, result.branch) == (Outcome.CANCELLED, f"paddock/{result.id}")


def test_a_collector_that_fails_leaves_the_workspace_for_another_try(fake: FakeHost) -> None:
    def fails(box: FakeBox) -> int:
        box.write(b"no\x1b[31m space")
        return 1

    fake.engine.programs["collector"] = fails
    result = run_task(fake.task(commits), fake.host())
    assert (result.outcome, result.exit_code) == (Outcome.ENGINE_FAILED, 40)
    assert r"The collector failed (1): no\x1b[31m space" in result.reason
    assert (Path(result.paths["workspace"]) / "new.txt").exists()


def test_a_sandbox_that_the_engine_did_not_apply_is_refused_before_the_agent(fake: FakeHost) -> None:
    began: list[FakeBox] = []

    def begins(box: FakeBox) -> int:
        began.append(box)
        return 0

    class Lenient(FakeBox):
        def differences(self) -> list[str]:
            return ["PidsLimit: asked for 512, the engine applied 0"] if self.spec.argv else []

    class LenientEngine(FakeEngine):
        def create(self, spec, secrets):  # type: ignore[no-untyped-def]
            box = Lenient(self, "lenient", spec, secrets)
            self.boxes[box.id] = box
            return box

    fake.engine = LenientEngine({"collector": collect_here})
    result = run_task(fake.task(begins), fake.host())
    assert (result.outcome, result.exit_code, began) == (Outcome.REFUSED, 30, [])
    assert "PidsLimit" in result.reason


def test_a_name_in_use_by_a_running_run_is_refused(fake: FakeHost) -> None:
    def runs_it_again(box: FakeBox) -> int:
        with pytest.raises(RefusedError, match="The name 'fix' is in use by"):
            run_task(fake.task(name="fix"), fake.host())
        return 9

    assert run_task(fake.task(runs_it_again, name="fix"), fake.host()).agent_exit_code == 9


def test_a_name_may_be_used_again_once_its_run_is_over(fake: FakeHost) -> None:
    first, second = (run_task(fake.task(name="fix"), fake.host()) for _ in range(2))
    assert first.id != second.id


@pytest.mark.parametrize(
    ("details", "error", "says"),
    [
        ({"repo": "/nonexistent"}, RefusedError, "/nonexistent"),
        ({"base": "no-such-branch"}, RefusedError, "no-such-branch"),
        ({"policy": "no-such-policy"}, RefusedError, "no-such-policy"),
        ({"image": "no-such-image"}, RefusedError, "no-such-image"),
        ({"agent": "no-such-agent"}, UsageError, "no-such-agent"),
        ({"argv": ()}, UsageError, "nothing to run"),
        ({"environment": {"LD_PRELOAD": "/x.so"}}, RefusedError, "LD_PRELOAD"),
    ],
)
def test_bad_input_is_refused_before_a_run_exists(
    fake: FakeHost, details: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        run_task(fake.task(**details), fake.host())
    assert not (fake.state / "runs").exists()
    assert fake.engine.boxes == {}


def test_a_limit_that_the_machine_does_not_have_is_refused(fake: FakeHost) -> None:
    fake.engine = FakeEngine({}, facts=FACTS.model_copy(update={"cpus": 1}))
    with pytest.raises(RefusedError, match=r"limits.cpus = 2, but the machine has 1"):
        run_task(fake.task(), fake.host())


def test_the_work_of_a_run_whose_paddock_died_is_collected_by_another_one(fake: FakeHost) -> None:
    class DeadEngine(FakeEngine):
        def find(self, *, run: str = "", state: str = "") -> list:  # type: ignore[type-arg]
            raise EngineError("the power went out")

    fake.engine = DeadEngine({"collector": collect_here})
    lost = run_task(fake.task(commits), fake.host())
    assert lost.outcome is Outcome.ENGINE_FAILED
    fake.engine = FakeEngine({"collector": collect_here})
    host = fake.host()
    with Ledger(host.ledger) as ledger:
        row = ledger.get(lost.id)
        assert row is not None
        found = end_orphan(row, paths_of(lost), host, ledger)
    assert (found.outcome, found.branch) == (Outcome.COMPLETED, f"paddock/{lost.id}")
    assert [commit.subject for commit in found.commits] == ["add new.txt"]
