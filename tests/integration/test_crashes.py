"""Paddock is killed with SIGKILL at every effect of a run, of a recovery: the next command leaves it all in order."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from tests.integration.cli import SUBJECTS, WORK, Done, Paddock, branches, finish, outside_of_paddock, until
from tests.unit.repo.sources import git

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

AT_ONCE = 3
STEP = 1 if os.environ.get("PADDOCK_EVERY_POINT") else 4
"""Every point takes many minutes: `make crashes`. Else each fourth of them is tried."""
RAN = "the agent ran"
SCRIPT = f"echo '{RAN}'; {WORK}"
KEPT = {
    *("task.json", "policy.json", "spec.json", "events.jsonl", "agent.log", "result.json", "record.json"),
    *("policy_files.json", "changes.bundle", "diff.patch", "artifacts"),
}
"""What may be in the directory of a run that is over."""


def dying(paddock: Paddock, at: int | str, number: signal.Signals = signal.SIGKILL) -> Paddock:
    """The command as a process that dies at that fault point; at none with 0."""
    faults = {"FAULT": str(at), "FAULT_LOG": str(paddock.folder / "points"), "FAULT_SIGNAL": number.name}
    return replace(paddock, module="tests.integration.paddock_that_dies", variables={**paddock.variables, **faults})


def points(paddock: Paddock, *argv: str | Path) -> list[str]:
    """The names of all fault points of a command that has to succeed."""
    log = paddock.folder / "points"
    log.unlink(missing_ok=True)
    dying(paddock, 0).good(*argv)
    return log.read_text().splitlines()


def killed_at(paddock: Paddock, at: int | str, *argv: str | Path) -> Done:
    """How the command ended that was to die at a point."""
    return finish(dying(paddock, at).popen(*argv))


def runs(paddock: Paddock) -> list[dict[str, Any]]:
    """What the ledger has."""
    found: list[dict[str, Any]] = json.loads(paddock.good("ps", "--all", "--limit", "1000", "--json"))
    return found


def assert_in_order(paddock: Paddock, client: APIClient, repository: Path) -> dict[str, str]:
    """Every run is over, its work is out if its agent ran, and nothing is half made; outcomes by run."""
    rows = runs(paddock)
    directories = {path.name: path for path in (paddock.state / "runs").iterdir()}
    assert {row["id"] for row in rows} == set(directories), "no directory without a run, no run without a directory"
    for row in rows:
        result = json.loads((directories[row["id"]] / "result.json").read_text())
        assert (row["outcome"], row["branch"]) == (result["outcome"], result["branch"])
        assert {path.name for path in directories[row["id"]].iterdir()} <= KEPT, row["id"]
        log = directories[row["id"]] / "agent.log"
        if log.exists() and RAN in log.read_text():
            assert (result["outcome"], log.read_text()) == ("completed", f"{RAN}\n")
            assert [commit["subject"] for commit in result["commits"]] == SUBJECTS
        else:
            assert (result["outcome"], result["branch"]) == ("cancelled", "")
        assert result["leaks"] == []
    assert sorted(branches(repository)) == sorted(row["branch"] for row in rows if row["branch"])
    assert not client.containers(all=True, filters={"label": f"paddock.state={paddock.state}"})
    return {row["id"]: row["outcome"] for row in rows}


def test_wherever_a_run_is_killed_the_next_command_leaves_all_in_order(
    paddock: Paddock, repository: Path, docker_client: APIClient
) -> None:
    argv = ("run", repository, "--", "sh", "-c", SCRIPT)
    before = outside_of_paddock(repository)
    names = points(paddock, *argv)
    assert len(names) > 60
    chosen = range(1, len(names) + 1, STEP)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        done = list(threads.map(lambda number: killed_at(paddock, number, *argv), chosen))
    killed = [each for each in done if each.code == -signal.SIGKILL]
    assert len(killed) > len(chosen) - 3, "two runs differ by hardly a point"
    recovered = paddock("recover")

    assert recovered.code == 0, recovered.err
    assert paddock.good("recover") == "nothing to recover\n"
    outcomes = assert_in_order(paddock, docker_client, repository)
    assert {"completed", "cancelled"} == set(outcomes.values())
    assert outside_of_paddock(repository) == before


@pytest.mark.parametrize("where", ["event phase-started collect", "event phase-ended agent", "starting"])
def test_wherever_a_recovery_is_killed_the_next_one_goes_on(
    where: str, paddock: Paddock, repository: Path, docker_client: APIClient
) -> None:
    argv = ("run", repository, "--", "sh", "-c", SCRIPT)
    before = outside_of_paddock(repository)
    names = points(paddock, *argv)
    last = max(number for number, name in enumerate(names, 1) if name.endswith(where))
    assert killed_at(paddock, last, *argv).code == -signal.SIGKILL
    (orphan,) = [row["id"] for row in runs(paddock) if row["state"] != "completed"]
    number = 1
    while (done := killed_at(paddock, number, "recover", orphan)).code == -signal.SIGKILL:
        number += STEP

    assert (done.code, done.err) == (0, "")
    assert number > 8
    assert paddock.good("recover") == "nothing to recover\n"
    assert_in_order(paddock, docker_client, repository)
    assert outside_of_paddock(repository) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_merge_that_is_interrupted_is_finished_all_the_same(
    number: signal.Signals, paddock: Paddock, repository: Path
) -> None:
    document = paddock.run(repository, WORK)
    done = finish(dying(paddock, "after git merge", number).popen("merge", document["id"]))
    killed = number is signal.SIGKILL

    assert done.code == (-signal.SIGKILL if killed else 0), done.err
    until(lambda: git(repository, "rev-parse", "HEAD") == document["head"])
    until(lambda: not (repository / ".git/index.lock").exists())
    assert git(repository, "status", "--porcelain") == ""
    assert (repository / "left").read_text() == "left\n"


def test_four_runs_and_a_recovery_at_once_on_one_repository_are_in_nobodys_way(
    paddock: Paddock, repository: Path, docker_client: APIClient
) -> None:
    argv = ("run", repository, "--", "sh", "-c", SCRIPT)
    before = outside_of_paddock(repository)
    for at in ("before event phase-started collect", "before event phase-started import"):
        assert killed_at(paddock, at, *argv).code == -signal.SIGKILL
    with ThreadPoolExecutor(6) as threads:
        working = [threads.submit(paddock, *argv) for _ in range(4)]
        recovering = [threads.submit(paddock, "recover") for _ in range(2)]
    assert [each.result().code for each in working] == [0, 0, 0, 0]
    said = sorted(line for each in recovering for line in each.result().out.splitlines() if "paddock/" in line)
    assert len(said) == 2, "each orphan is recovered once, whoever is quicker"
    assert paddock.good("recover") == "nothing to recover\n"
    assert set(assert_in_order(paddock, docker_client, repository).values()) == {"completed"}
    assert outside_of_paddock(repository) == before


def test_wherever_a_removal_is_killed_the_same_command_ends_it(
    paddock: Paddock, repository: Path, docker_client: APIClient
) -> None:
    for argv in (("rm", "last"), ("prune", "--older-than", "1ms")):
        number = 1
        run = paddock.run(repository, WORK)["id"]
        while killed_at(paddock, number, *argv).code == -signal.SIGKILL:
            assert {row["id"] for row in runs(paddock)} <= {run}
            if not runs(paddock):
                run = paddock.run(repository, WORK)["id"]
            number += 1
        assert number > 2
        assert runs(paddock) == []
        assert list((paddock.state / "runs").iterdir()) == []
    assert not docker_client.containers(all=True, filters={"label": f"paddock.state={paddock.state}"})
