"""The command line: what it prints where, with which exit code, without an engine."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runner.cli.listing import age, state_of
from runner.cli.terminal import table, visible
from runner.model.result import RunResult
from runner.run.execute import run_task
from runner.store.ledger import Ledger, RunRow
from runner.store.owner import this_process
from tests.unit.run.fake_host import FakeHost
from tests.unit.run.test_execute import commits

NOBODY = "unix:///nonexistent/engine.sock"


def paddock(
    *argv: str, state: Path, stdout: Any = subprocess.PIPE, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(state.parent),
        "PADDOCK_STATE_DIR": str(state),
        "PADDOCK_ENGINE": NOBODY,
        **variables,
    }
    command = [sys.executable, "-m", "runner", *argv]
    folder = Path(__file__).parents[3]
    return subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False, env=environment, cwd=folder
    )


@pytest.fixture
def finished(tmp_path: Path) -> tuple[FakeHost, RunResult]:
    """A state directory with one finished run."""
    fake = FakeHost(tmp_path)
    return fake, run_task(fake.task(commits, name="fix"), fake.host())


def test_help_loads_neither_docker_nor_pydantic() -> None:
    script = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from runner.cli.app import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(sorted({'docker', 'pydantic', 'rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version_is_one_line(tmp_path: Path) -> None:
    assert paddock("--version", state=tmp_path).stdout.startswith("paddock 0.")


def test_an_engine_that_is_not_there_is_refused_with_how_to_start_it(tmp_path: Path) -> None:
    fake = FakeHost(tmp_path)
    done = paddock("run", str(fake.repository), "--", "true", state=fake.state)
    assert (done.returncode, done.stdout) == (30, "")
    assert NOBODY in done.stderr
    assert "systemctl start docker" in done.stderr


def test_json_prints_the_document_of_a_refused_run_and_nothing_else(tmp_path: Path) -> None:
    fake = FakeHost(tmp_path)
    done = paddock("run", str(fake.repository), "--json", "--", "true", state=fake.state)
    document = RunResult.model_validate_json(done.stdout)
    assert (document.outcome.value, document.exit_code, done.returncode) == ("refused", 30, 30)


def test_plan_prints_the_spec_without_an_engine_and_leaves_no_trace(tmp_path: Path) -> None:
    fake = FakeHost(tmp_path)
    done = paddock("plan", str(fake.repository), "--", "make", "test", state=fake.state)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["argv"] == ["make", "test"]
    assert not fake.state.exists()


def test_usage_errors_exit_with_2(tmp_path: Path) -> None:
    assert paddock("run", state=tmp_path).returncode == 2
    assert paddock("run", ".", "--no-such-option", state=tmp_path).returncode == 2
    assert paddock("run", ".", "--env", "NOVALUE", "--", "true", state=tmp_path).returncode == 2


def test_a_secret_given_in_the_wrong_form_is_not_repeated(tmp_path: Path) -> None:
    done = paddock("run", ".", "--env", "s3cr3t-v4lue", "--", "true", state=tmp_path)
    assert "s3cr3t-v4lue" not in done.stderr


def test_ps_lists_finished_runs_only_with_all(finished: tuple[FakeHost, RunResult]) -> None:
    fake, result = finished
    assert result.id not in paddock("ps", state=fake.state).stdout
    line = next(line for line in paddock("ps", "-a", state=fake.state).stdout.splitlines() if result.id in line)
    assert line.split()[1:5] == ["completed", "command", "offline", line.split()[4]]


def test_ps_prints_json(finished: tuple[FakeHost, RunResult]) -> None:
    fake, result = finished
    rows = json.loads(paddock("ps", "-a", "--json", state=fake.state).stdout)
    assert [(row["id"], row["name"], row["state"]) for row in rows] == [(result.id, "fix", "completed")]


@pytest.mark.parametrize("word", ["last", "fix"])
def test_show_finds_a_run_by_several_words(finished: tuple[FakeHost, RunResult], word: str) -> None:
    fake, result = finished
    done = paddock("show", word, state=fake.state)
    assert done.stdout.startswith("completed  ")
    assert result.branch in done.stdout
    assert "add new.txt" in done.stdout


def test_show_prints_the_document_as_json(finished: tuple[FakeHost, RunResult]) -> None:
    fake, result = finished
    assert RunResult.model_validate_json(paddock("show", result.id, "--json", state=fake.state).stdout) == result


def test_diff_prints_a_patch_that_git_applies(finished: tuple[FakeHost, RunResult], tmp_path: Path) -> None:
    fake, result = finished
    patch = paddock("diff", result.id, state=fake.state).stdout
    check = ["git", "-c", f"safe.directory={fake.repository}", "-C", str(fake.repository), "apply", "--check", "-"]
    assert subprocess.run(check, input=patch, text=True, check=False, capture_output=True).returncode == 0
    assert "+new" in patch


def test_an_unknown_run_names_the_latest_ones(finished: tuple[FakeHost, RunResult]) -> None:
    fake, result = finished
    done = paddock("show", "nope", state=fake.state)
    assert (done.returncode, result.id in done.stderr) == (2, True)


def test_rm_forgets_a_run_and_leaves_its_branch(finished: tuple[FakeHost, RunResult]) -> None:
    fake, result = finished
    assert paddock("rm", result.id, state=fake.state).returncode == 0
    assert list((fake.state / "runs").iterdir()) == []
    assert result.branch in fake.branches()


def test_kept_work_is_not_forgotten_and_is_found_by_recover(tmp_path: Path) -> None:
    fake = FakeHost(tmp_path)
    fake.engine.programs["collector"] = lambda _: 1
    result = run_task(fake.task(commits), fake.host())
    kept = paddock("rm", result.id, state=fake.state)
    assert (kept.returncode, result.paths["workspace"] in kept.stderr) == (30, True)
    assert f"paddock recover {result.id}" in kept.stderr
    for words in (("recover",), ("recover", result.id)):
        tried = paddock(*words, state=fake.state)
        assert (tried.returncode, NOBODY in tried.stderr) == (40, True), "there is no engine, but there is work"
    assert (Path(result.paths["workspace"]) / "new.txt").exists()
    shown = json.loads(paddock("ps", "-a", "--json", state=fake.state).stdout)
    assert [row["state"] for row in shown] == ["engine-failed"]


def test_recover_has_nothing_to_do_for_a_run_whose_work_is_out(finished: tuple[FakeHost, RunResult]) -> None:
    fake, result = finished
    assert paddock("recover", state=fake.state).stdout == "nothing to recover\n"
    done = paddock("recover", result.id, state=fake.state)
    assert (done.returncode, "no workspace of it is kept" in done.stderr) == (2, True)


def test_merge_fast_forwards_a_clean_tree_and_refuses_a_dirty_one(finished: tuple[FakeHost, RunResult]) -> None:
    fake, result = finished
    (fake.repository / "README").write_text("changed\n", encoding="utf-8")
    refused = paddock("merge", result.id, state=fake.state)
    assert (refused.returncode, "not clean" in refused.stderr) == (30, True)
    (fake.repository / "README").write_text("hello\n", encoding="utf-8")
    merged = paddock("merge", result.id, state=fake.state)
    assert (merged.returncode, merged.stdout.strip()) == (0, result.head), merged.stderr
    assert (fake.repository / "new.txt").read_text(encoding="utf-8") == "new\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize("variables", [{}, {"GITHUB_ACTIONS": "1"}], ids=["alone", "in-ci"])
def test_a_standard_stream_that_is_closed_is_one_that_nobody_reads(
    finished: tuple[FakeHost, RunResult], closed: str, variables: dict[str, str]
) -> None:
    fake, result = finished
    ledger = fake.host().ledger
    environment = {"PATH": "/usr/bin:/bin", "PADDOCK_STATE_DIR": str(fake.state), **variables}
    command = ["sh", "-c", f'"{sys.executable}" -m runner ps -a {closed}']
    done = subprocess.run(command, env=environment, check=False, capture_output=True, cwd=Path(__file__).parents[3])
    assert (done.returncode, done.stderr) == (0, b"")
    assert (result.id.encode() in done.stdout) == (closed == "2>&-")
    with Ledger(ledger) as whole:
        assert [row.id for row in whole.list()] == [result.id], "no file took the stream's place"


@pytest.mark.parametrize("command", [("ps", "-a"), ("ps", "--json"), ("--help",), ("policy", "schema"), ("--version",)])
def test_an_answer_that_cannot_be_written_is_told_and_is_no_bug(command: tuple[str, ...], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = paddock(*command, state=tmp_path / "state", stdout=full)
    assert done.returncode == 1
    assert done.stderr == "paddock: The answer could not be written: No space left on device.\n"


@pytest.mark.parametrize("command", [("prune",), ("image", "list"), ("image", "rm", "x"), ("image", "build")])
def test_an_engine_of_another_machine_is_refused_in_words(command: tuple[str, ...], tmp_path: Path) -> None:
    done = paddock(*command, state=tmp_path / "state", PADDOCK_ENGINE="tcp://192.0.2.1:2375")
    assert (done.returncode, done.stdout) == (30, "")
    assert '"tcp://192.0.2.1:2375" is not a socket of this machine' in done.stderr


def test_stop_of_an_orphan_refuses_an_engine_of_another_machine(tmp_path: Path) -> None:
    fake = FakeHost(tmp_path)
    fake.state.mkdir()
    with Ledger(fake.state / "ledger.db") as ledger:
        ledger.add(orphan())
    done = paddock("stop", "orphan", state=fake.state, PADDOCK_ENGINE="tcp://192.0.2.1:2375")
    assert done.returncode == 30
    assert "is not a socket of this machine" in done.stderr


def test_detach_tells_what_is_refused_as_ever(tmp_path: Path) -> None:
    fake = FakeHost(tmp_path)
    done = paddock("run", str(fake.repository), "--detach", "--", "true", state=fake.state)
    assert (done.returncode, done.stdout) == (30, "")
    assert "systemctl start docker" in done.stderr
    assert not (fake.state / "runs").exists()


def test_ps_over_ten_thousand_runs_takes_well_under_a_second(tmp_path: Path) -> None:
    pid, started = this_process()
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger._connection.execute("BEGIN")
        for number in range(10_000):
            run = f"2026-11-20-run-{number:04}"
            ledger.add(
                RunRow(
                    id=run,
                    repo="/srv/repo",
                    agent="command",
                    policy="offline",
                    created_at="2026-11-20T12:00:00.000Z",
                    owner_pid=pid,
                    owner_started=started,
                )
            )
        ledger._connection.execute("COMMIT")
    listed = []
    few = cpu_seconds(lambda: paddock("ps", "-a", state=tmp_path / "empty"))
    many = cpu_seconds(lambda: listed.append(paddock("ps", "-a", "-n", "10000", state=tmp_path).stdout))
    assert len(listed[0].splitlines()) == 10_001
    assert many < 12 * few  # about 6 times; both grow alike on a busy machine


def cpu_seconds(work: Callable[[], object]) -> float:
    """What the processes that `work` starts use up, user and system time together; the better of two."""
    used = []
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        work()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(used)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (60, "1m"), (3599, "59m"), (7200, "2h"), (86400 * 9, "9d")]
)
def test_an_age_is_told_in_one_unit(seconds: int, text: str) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    created = datetime.fromtimestamp(now.timestamp() - seconds, UTC).isoformat()
    assert age(created, now) == text


def test_a_run_whose_paddock_died_is_told_apart() -> None:
    assert state_of(orphan()) == "orphaned"


def orphan() -> RunRow:
    """A run that nobody carries out any more."""
    return RunRow("orphan", "/r", "a", "p", "2026-11-20T12:00:00Z", owner_pid=2**22, owner_started=1)


def test_hostile_text_cannot_steer_the_terminal() -> None:
    assert visible("\x1b[2Jhi\r\nthere\tyou\r\u202egnp") == r"\x1b[2Jhi" + "\nthere   you" + r"\x0d\u202egnp"
    assert table(("A",), [("\x1b]0;x\x07",)])[1] == r"\x1b]0;x\x07"
