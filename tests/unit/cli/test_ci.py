"""`paddock ci`: what it leaves for later steps, and what its exit code is when it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli import ci
from runner.cli.ci_files import MOST_SUMMARY, CiFiles, append, as_dotenv, as_outputs, bounded, outputs_of
from runner.cli.running import TaskOptions
from runner.errors import UsageError
from runner.model.artifact import Artifact
from runner.model.result import Outcome, RunResult
from tests.unit.report.results import result_with

ROOT = Path(__file__).parents[3]


def parsed_outputs(text: str) -> dict[str, str]:
    """A file of outputs, line by line as GitHub's runner reads it."""
    values: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        name, delimiter = line.split("<<", 1)
        value = []
        while (inner := next(lines)) != delimiter:
            value.append(inner)
        values[name] = "\n".join(value)
    return values


@given(st.dictionaries(st.sampled_from("abc"), st.text(alphabet="<ab\nghadelimiter_=", max_size=40)))
def test_outputs_are_read_as_they_were_meant(values: dict[str, str]) -> None:
    assert parsed_outputs(as_outputs(values)) == values


def test_nobody_can_know_the_delimiter_of_an_output() -> None:
    lines = [line for _ in range(3) for line in as_outputs({"a": "", "b": ""}).splitlines() if "<<" in line]
    assert len({line.partition("<<")[2] for line in lines}) == len(lines) == 6
    assert all(len(line) > 32 for line in lines)


@given(st.text(max_size=40))
def test_a_variable_is_one_line(text: str) -> None:
    lines = as_dotenv({"run-id": text, "branch": "x"}).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("PADDOCK_RUN_ID=")
    assert lines[1] == "PADDOCK_BRANCH=x"


def test_outputs_hold_nothing_that_an_agent_said() -> None:
    told = {"answer": "said", "reason": "said", "agent": "said", "notices": ("said",), "session": "said"}
    assert "said" not in "".join(outputs_of(result_with(**told), Path("/a")).values())


def test_what_others_wrote_before_stays(tmp_path: Path) -> None:
    file = tmp_path / "summary"
    file.write_text("before")
    append(file, "after\n")
    assert file.read_text() == "before\nafter\n"


def test_a_long_summary_is_cut_between_two_lines() -> None:
    line = "- `" + "x" * 997 + "`\n"
    text = bounded(line * 2000)
    assert len(text.encode()) <= MOST_SUMMARY + 100
    assert all(each in {line.rstrip(), "", "(cut here)"} for each in text.split("\n"))
    assert bounded("short") == "short"


def finished(tmp_path: Path) -> RunResult:
    """A run with some files and an artifact."""
    run = tmp_path / "runs" / "x"
    (run / "artifacts" / "out").mkdir(parents=True)
    for name in ("agent.log", "record.json", "record.json.sig", "diff.patch"):
        (run / name).write_text(name)
    (run / "artifacts" / "out" / "a.txt").write_text("abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    paths = {"run": run, "log": run / "agent.log", "record": run / "record.json", "diff": run / "diff.patch"}
    return result_with(
        paths={name: str(path) for name, path in paths.items()},
        artifacts=(Artifact(name="out/a.txt", size=3, sha256=digest),),
    )


def test_the_folder_has_the_whole_run(tmp_path: Path) -> None:
    files = CiFiles(artifacts=tmp_path / "a" / "b")
    files.prepare()
    assert list(files.deliver(finished(tmp_path))) == []
    found = {
        str(path.relative_to(tmp_path / "a" / "b")) for path in (tmp_path / "a" / "b").rglob("*") if path.is_file()
    }
    assert found == {"result.json", "agent.log", "record.json", "record.json.sig", "diff.patch", "artifacts/out/a.txt"}


def test_a_folder_that_is_in_use_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    with pytest.raises(UsageError, match="not empty"):
        CiFiles(artifacts=tmp_path).prepare()
    with pytest.raises(UsageError, match="cannot be made"):
        CiFiles(junit=tmp_path / "there" / "junit.xml").prepare()


def test_what_cannot_be_written_is_told_and_the_rest_is_written(tmp_path: Path) -> None:
    files = CiFiles(summary=tmp_path / "no" / "s", dotenv=tmp_path / "env", junit=tmp_path / "no" / "j")
    told = list(files.deliver(result_with()))
    assert len(told) == 2
    assert (tmp_path / "env").read_text().startswith("PADDOCK_OUTCOME=completed\n")


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[RunResult]:
    """What the next run comes to."""
    results = [result_with()]
    monkeypatch.setattr(ci, "result_of", lambda *_, **__: results[0])
    monkeypatch.setattr(ci, "guard_streams", lambda: None)
    systems = ("GITHUB_ACTIONS", "GITEA_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION")
    for name in (*systems, "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        monkeypatch.delenv(name, raising=False)
    return results


def test_the_exit_code_is_the_runs(ended: list[RunResult], tmp_path: Path) -> None:
    options = TaskOptions(repo=".")
    assert ci.ci_command(options, CiFiles()) == 0
    ended[0] = result_with(outcome=Outcome.REJECTED, exit_code=20)
    assert ci.ci_command(options, CiFiles(summary=tmp_path / "no" / "s")) == 20
    ended[0] = result_with()
    assert ci.ci_command(options, CiFiles(summary=tmp_path / "no" / "s")) == ci.UNTOLD


def test_github_names_its_files_itself(
    ended: list[RunResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "s"))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "o"))
    assert ci.ci_command(TaskOptions(repo="."), CiFiles()) == 0
    assert (tmp_path / "s").read_text().startswith("## Paddock: completed")
    assert parsed_outputs((tmp_path / "o").read_text())["outcome"] == "completed"
    assert "::" not in capfd.readouterr().out, "there are no commands where nobody knows them"


@pytest.mark.parametrize(
    ("variable", "begins"),
    [("TF_BUILD", "##vso[task.logissue type=error]"), ("TEAMCITY_VERSION", "##teamcity[message text='")],
)
def test_other_systems_are_told_in_their_own_words(
    ended: list[RunResult], monkeypatch: pytest.MonkeyPatch, capfd: Any, variable: str, begins: str
) -> None:
    monkeypatch.setenv(variable, "1")
    ended[0] = result_with(outcome=Outcome.AGENT_FAILED, exit_code=10)
    ci.ci_command(TaskOptions(repo="."), CiFiles())
    (line,) = filter(None, capfd.readouterr().out.splitlines())
    assert line.startswith(f"{begins}Paddock: agent-failed: ")


def test_with_json_stdout_is_the_document_alone() -> None:
    code = (
        "from runner.cli import ci\nfrom runner.cli.ci_files import CiFiles\n"
        "from runner.cli.running import TaskOptions\n"
        "from tests.unit.report.results import result_with\n"
        "ci.result_of = lambda *_, **__: result_with()\n"
        "ci.ci_command(TaskOptions(repo='.', json=True), CiFiles())\n"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "GITHUB_ACTIONS": "true"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert RunResult.model_validate_json(done.stdout).outcome is Outcome.COMPLETED
    commands = [line for line in done.stderr.splitlines() if line.startswith("::")]
    begin, stop, go_on, end, notice = commands
    assert (begin, end) == ("::group::paddock", "::endgroup::")
    assert go_on == f"::{stop.removeprefix('::stop-commands::')}::"
    assert notice.startswith("::notice ")
