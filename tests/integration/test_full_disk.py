"""The disk of the state directory, a file system of its own, is full from one moment of a run to its end."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from docker import APIClient

from tests.integration.cli import SUBJECTS, WORK, Done, Paddock, branches, finish, outside_of_paddock, show

pytestmark = [pytest.mark.docker, pytest.mark.timeout(180)]

SCRIPT = f"{WORK}; echo 'the agent ran'"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 320 MiB; only root can make one."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=320m,mode=755", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def cramped(paddock: Paddock, small_disk: Path, docker_client: APIClient) -> Iterator[Paddock]:
    """The command with its state directory on that file system, which is not the repository's."""
    cramped = replace(paddock, state=small_disk / "state")
    yield cramped
    label = {"label": f"paddock.state={cramped.state}"}
    left = docker_client.containers(all=True, filters=label)
    for container in left:
        docker_client.remove_container(container["Id"], force=True)
    assert [container["Names"] for container in left] == []


def run_until_full(paddock: Paddock, repository: Path, at: str) -> tuple[Done, Path]:
    """A run during which the disk fills up at a fault point; and the file that fills it."""
    filler = paddock.state.parent / "filler"
    faults = {"FAULT": at, "FAULT_LOG": os.devnull, "FAULT_SIGNAL": "SIGKILL", "FAULT_FILL": str(filler)}
    faulty = replace(paddock, module="tests.integration.paddock_that_dies", variables=faults)
    done = finish(faulty.popen("run", repository, "--json", "--", "sh", "-c", SCRIPT))
    assert filler.exists(), "there was no such point"
    return done, filler


def test_a_state_directory_may_be_on_another_file_system(cramped: Paddock, repository: Path) -> None:
    document = cramped.run(repository, WORK)
    assert [commit["subject"] for commit in document["commits"]] == SUBJECTS
    assert show(repository, document["branch"], "left") == "left"


EARLY = ["before row INSERT", "after row INSERT", "before event phase-started sandbox", "after starting"]
LATE = [
    "before event phase-started stop",
    "before event phase-started collect",
    "before event phase-started gates",
    "before event phase-started import",
    "before event phase-started report",
    "before writing result",
]


@pytest.mark.parametrize("at", EARLY)
def test_a_disk_that_is_full_before_the_agent_works_ends_the_run_in_words(
    at: str, cramped: Paddock, repository: Path
) -> None:
    before = outside_of_paddock(repository)
    done, filler = run_until_full(cramped, repository, at)

    assert done.code in {14, 40}, done.err
    assert "Traceback" not in done.err
    assert "bug in Paddock" not in done.err
    assert outside_of_paddock(repository) == before
    filler.unlink()
    assert cramped("recover").code == 0
    assert cramped.good("recover") == "nothing to recover\n"
    assert cramped.run(repository, WORK)["outcome"] == "completed", "with room again, all is as before"


@pytest.mark.parametrize("at", LATE)
def test_work_outlives_a_disk_that_is_full_when_it_is_to_be_collected(
    at: str, cramped: Paddock, repository: Path
) -> None:
    before = outside_of_paddock(repository)
    done, filler = run_until_full(cramped, repository, at)
    (run,) = [path.name for path in (cramped.state / "runs").iterdir()]

    assert done.code in {0, 14, 40}, done.err
    assert "Traceback" not in done.err
    assert "bug in Paddock" not in done.err
    filler.unlink()
    recovered = cramped("recover")
    assert recovered.code == 0, recovered.err
    assert branches(repository) == [f"paddock/{run}"]
    assert show(repository, f"paddock/{run}", "left") == "left"
    assert json.loads(cramped.good("show", run, "--json"))["branch"] == f"paddock/{run}"
    assert cramped.good("recover") == "nothing to recover\n"
    assert outside_of_paddock(repository) == before
