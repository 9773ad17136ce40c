"""`paddock ci` where it is used: in checkouts as runners make them, as an action, as the documentation shows it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.integration.cli import Paddock, branches, outside_of_paddock
from tests.integration.test_users import root_only
from tests.integration.workflow import Runner, load
from tests.unit.repo.sources import git

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
OTHER = 4321
PROMPT = "fix the deprecation warnings"
ATTACK = r"""
printf 'x'; printf ':' ; sleep 0.2; printf ':add-path::/evil\n'
printf '\n::set-output name=branch::main\n##vso[task.setvariable variable=x]y\n'
printf '##teamcity[buildStatus]\nsection_start:1:hidden\r\n::stop-commands::mine\n' >&2
printf '\r::error::forged\n' >&2
git commit --allow-empty -qm '::error::forged%0A::add-path::/evil'
"""

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What a runner checks out: one commit, no branch, and a remote that knows more."""
    origin = tmp_path / "origin"
    subprocess.run([str(ROOT / ".ci" / "sample"), str(origin)], check=True)
    git(origin, "commit", "--allow-empty", "-qm", "second")
    place = tmp_path / "checkout"
    place.mkdir()
    git(place, "init", "-q")
    git(place, "remote", "add", "origin", f"file://{origin}")
    git(place, "fetch", "-q", "--no-tags", "--depth=1", "origin", "+HEAD:refs/remotes/origin/main")
    git(place, "checkout", "-q", "--detach", "refs/remotes/origin/main")
    assert git(place, "rev-parse", "--is-shallow-repository").strip() == "true"
    return place


@pytest.fixture
def runner(paddock: Paddock, checkout: Path, tmp_path: Path) -> Runner:
    """A job of GitHub's on that checkout, with `paddock` on its PATH."""
    command = tmp_path / "bin" / "paddock"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -P -m runner "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}:{os.environ['PATH']}"
    environment = {**paddock.environment(), "PATH": path, "GITHUB_ACTIONS": "true"}
    del environment["PYTHONPATH"]  # what an action installs has to be enough
    for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_INDEX_URL"):
        if name in os.environ:
            environment[name] = os.environ[name]
    return Runner(checkout=checkout, temp=tmp_path / "temp", environment=environment)


def junit(file: Path) -> ET.Element:
    return ET.parse(file).getroot()  # noqa: S314 - what is read here is what we wrote


def obeyed(log: str) -> list[str]:
    """The commands that GitHub's runner would carry out, by its rules: none while commands are stopped, but the token.

    See ActionCommandManager in github.com/actions/runner.
    """
    token, done = "", []
    for line in re.split(r"[\r\n]", log):
        text = line.strip()
        found = re.match(r"::(?P<name>[\w-]+)(?: [^:]*)?::(?P<data>.*)", text)
        if token:
            if text == f"::{token}::":
                token = ""
        elif found and found["name"] == "stop-commands":
            token = found["data"]
        elif found or "##[" in line or "##vso[" in line:
            done.append(text)
    assert not token
    return done


def test_a_detached_shallow_checkout_gets_a_branch_and_everything_that_later_steps_need(
    runner: Runner, checkout: Path
) -> None:
    (checkout / ".git" / "logs" / "refs" / "heads").mkdir()  # git makes it with the first branch
    before = outside_of_paddock(checkout)
    script = (
        f'paddock ci --agent demo --check true --artifacts ../a/b --junit ../j/junit.xml --dotenv ../env "{PROMPT}"'
    )

    assert runner.step({"run": script, "id": "it"}) == 0, runner.log

    outputs, artifacts = runner.outputs(), checkout.parent / "a" / "b"
    (branch,) = branches(checkout)
    assert outputs["branch"] == branch
    assert (outputs["outcome"], outputs["exit-code"], outputs["commits"]) == ("completed", "0", "1")
    assert outputs["head"] == git(checkout, "rev-parse", branch).strip()
    assert outputs["artifacts"] == str(artifacts.resolve())
    assert outside_of_paddock(checkout) == before
    document = json.loads((artifacts / "result.json").read_text())
    assert document["branch"] == branch
    kept = {"agent.log", "changes.bundle", "diff.patch", "events.jsonl", "record.json", "result.json"}
    assert kept <= {path.name for path in artifacts.iterdir()}
    suite = junit(checkout.parent / "j" / "junit.xml")[0]
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")
    assert {"run", "check: true", "gate: ancestry"} <= {case.get("name") for case in suite}
    assert f"PADDOCK_BRANCH={branch}\n" in (checkout.parent / "env").read_text()
    summary = Path(runner.environment["GITHUB_STEP_SUMMARY"]).read_text()
    assert f"- branch: `{branch}`" in summary
    assert [line.split("::")[1] for line in obeyed(runner.log)] == [
        "group",
        "endgroup",
        "notice title=Paddock%3A completed",
    ]


def test_what_an_agent_prints_and_commits_is_no_command_to_github(runner: Runner) -> None:
    control = [line for line in ATTACK.splitlines() if line]
    naked = subprocess.run(["sh", "-c", "\n".join(control[:4])], check=True, capture_output=True, text=True)
    assert len(obeyed(naked.stdout + "\n" + naked.stderr.replace("::stop-commands::mine", ""))) >= 3

    assert runner.step({"run": 'paddock ci --agent command -- sh -c "$ATTACK"', "env": {"ATTACK": ATTACK}}) == 0

    assert [line.split("::")[1].split(" ")[0] for line in obeyed(runner.log)] == ["group", "endgroup", "notice"]
    without_stop = re.sub(r"::stop-commands::\S+", "", runner.log)
    allowed = ("::group::", "::endgroup::", "::notice ")
    ours = [line for line in obeyed(without_stop) if not line.startswith(allowed)]
    assert [line for line in ours if not re.fullmatch(r"::[0-9a-f]{64}::", line)] == []
    assert "section_start:" not in runner.log
    assert "set-output" in runner.log, "it is shown, and does nothing"
    summary = Path(runner.environment["GITHUB_STEP_SUMMARY"]).read_text()
    assert "`::error::forged%0A::add-path::/evil`" in summary


def test_what_is_refused_is_told_in_every_place(runner: Runner, checkout: Path) -> None:
    script = f'paddock ci --agent demo --policy nowhere.toml --artifacts ../a --junit ../junit.xml "{PROMPT}"'

    assert runner.step({"run": script, "id": "it"}) == 30

    assert runner.outputs()["outcome"] == "refused"
    assert json.loads((checkout.parent / "a" / "result.json").read_text())["exit_code"] == 30
    assert junit(checkout.parent / "junit.xml").get("errors") == "1"
    assert [line for line in obeyed(runner.log) if line.startswith("::error title=Paddock%3A refused")]


def test_the_action_is_carried_out_step_by_step(runner: Runner, checkout: Path) -> None:
    inputs = {"agent": "demo", "prompt": PROMPT, "artifacts": "../a", "options": "--check\npython3 -m unittest -q\n"}
    (checkout / "typing.py").write_text("raise SystemExit('the checkout is a module')\n")

    outputs = runner.action(ROOT, inputs)

    assert outputs["outcome"] == "completed"
    assert [outputs["branch"]] == branches(checkout)
    result = json.loads((Path(outputs["artifacts"]) / "result.json").read_text())
    assert result["check"]["command"] == "python3 -m unittest -q"
    assert result["check"]["exit_code"] == 0


def examples(kind: str) -> list[str]:
    return [match["body"] for match in FENCE.finditer((ROOT / "docs" / "ci.md").read_text()) if match["kind"] == kind]


def test_the_github_example_is_carried_out_as_documented(runner: Runner, checkout: Path) -> None:
    workflow, _ = map(load, examples("yaml"))
    (job,) = workflow["jobs"].values()
    for step in job["steps"]:
        if "run" in step:
            assert runner.step(step) == 0, runner.log
        elif "paddock" in step["uses"]:
            outputs = runner.action(ROOT, step["with"])
            runner.context |= {f"steps.{step['id']}.outputs.{name}": value for name, value in outputs.items()}

    assert "completed\n" in runner.log
    assert "Replace unittest aliases" in runner.log.rpartition("completed\n")[2]
    assert (checkout / "paddock-junit.xml").is_file()
    assert (checkout / "paddock-artifacts" / "changes.bundle").is_file()


def test_the_gitlab_example_is_carried_out_as_documented(runner: Runner, checkout: Path) -> None:
    _, pipeline = map(load, examples("yaml"))
    for line in pipeline["mend"]["script"]:
        assert runner.step({"run": line}) == 0, runner.log

    artifacts = pipeline["mend"]["artifacts"]
    for name in (*artifacts["paths"], *artifacts["reports"].values()):
        assert (checkout / name).exists(), name
    assert "PADDOCK_OUTCOME=completed\n" in (checkout / artifacts["reports"]["dotenv"]).read_text()


def test_the_generic_example_is_carried_out_as_documented(runner: Runner) -> None:
    (script,) = examples("bash")
    assert runner.step({"run": script}) == 0, runner.log
    assert "is okay" in runner.log


@root_only
def test_a_checkout_of_another_user_can_be_used_by_root(runner: Runner, checkout: Path) -> None:
    for path in (checkout, *checkout.rglob("*")):
        os.lchown(path, OTHER, OTHER)
    with tempfile.TemporaryDirectory() as open_to_all:
        Path(open_to_all).chmod(0o755)
        runner.checkout = Path(open_to_all) / "checkout"
        checkout.rename(runner.checkout)

        assert runner.step({"run": f'paddock ci --agent demo "{PROMPT}"', "id": "it"}) == 0, runner.log

        assert (runner.checkout / ".git" / "refs" / "heads" / runner.outputs()["branch"]).stat().st_uid == OTHER
