"""Paddock in a container that has its host's engine socket: what it calls a file is something else to the engine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from runner.model.settings import Settings
from tests.integration.cli import ROOT
from tests.integration.library import Library
from tests.unit.repo.sources import make_repository

SOCKET = "/var/run/docker.sock"
SCRIPT = "cat /data/secret; echo hi > hi; git add hi; git commit -qm hi"

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


@dataclass
class Job:
    """A container that is one job: the engine's socket, the host's programs, and its own idea of where things are."""

    client: APIClient
    image: str
    host: Path
    """What is `/workspace` inside."""
    socket: str
    decoy: Path
    """A folder of the host; inside, another one has that name."""

    def paddock(self, *argv: str, **variables: str) -> tuple[int, str]:
        """`paddock`, inside; its exit code and all that it said."""
        programs = {
            "/usr",
            *(path for path in (sys.prefix, sys.base_prefix, str(ROOT)) if not path.startswith("/usr/")),
        }
        binds = [f"{path}:{path}:ro" for path in programs]
        binds += [
            f"{self.host}:/workspace",
            f"{self.host}:{self.host}",
            f"{self.socket}:{SOCKET}",
            f"{self.host / 'other'}:{self.decoy}",
        ]
        made = self.client.create_container(
            self.image,
            [sys.executable, "-P", "-m", "runner", *argv],
            entrypoint=[],
            user="0:0",
            working_dir="/workspace/checkout",
            environment={"PYTHONPATH": str(ROOT), "HOME": "/tmp", "PYTHONDONTWRITEBYTECODE": "1", **variables},
            host_config=self.client.create_host_config(binds=binds, network_mode="none"),
        )
        try:
            self.client.start(made)
            code = self.client.wait(made, timeout=200)["StatusCode"]
            return code, self.client.logs(made).decode()
        finally:
            self.client.remove_container(made, force=True)

    def document(self, state: str = "/workspace/state") -> dict[str, Any]:
        """The result of the only run."""
        (file,) = (self.host / Path(state).name).glob("runs/*/result.json")
        document: dict[str, Any] = json.loads(file.read_text())
        return document


@pytest.fixture
def job(library: Library, docker_client: APIClient) -> Iterator[Job]:
    """A checkout, and a folder that is there on both sides and not the same."""
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as decoy:
        host = Path(place)
        make_repository(host / "checkout")
        (host / "other").mkdir()
        (host / "other" / "secret").write_text("of the job\n")
        (Path(decoy) / "secret").write_text("of the host\n")
        for path in (host, host / "other", Path(decoy)):
            path.chmod(0o755)
        (host / "policy.toml").write_text(
            f'extends = "offline"\n[[mounts]]\nsource = "{decoy}"\ntarget = "/data"\n[limits]\ncpus = 1.0\n'
        )
        image = library.engine.image("").ref.id
        socket = Settings(state_dir=host).engine.removeprefix("unix://")
        yield Job(docker_client, image, host, socket, Path(decoy))
        left = docker_client.containers(all=True, filters={"label": f"paddock.state={host}/state"})
        left += docker_client.containers(all=True, filters={"label": "paddock.state=/workspace/state"})
        for container in left:
            docker_client.remove_container(container["Id"], force=True)
        assert left == []


def test_a_state_directory_that_the_engine_does_not_see_is_refused(job: Job) -> None:
    code, said = job.paddock("run", ".", "--", "sh", "-c", "true", PADDOCK_STATE_DIR="/workspace/state")

    assert code == 30, said
    assert "The engine does not see what Paddock sees" in said
    assert "path_map" in said
    assert job.document()["outcome"] == "refused"


def test_a_map_makes_the_two_mean_the_same(job: Job) -> None:
    mapped = {"PADDOCK_STATE_DIR": "/workspace/state", "PADDOCK_PATH_MAP": json.dumps({"/workspace": str(job.host)})}

    code, said = job.paddock("run", ".", "--", "sh", "-c", "echo hi > hi; git add hi; git commit -qm hi", **mapped)

    assert code == 0, said
    assert job.document()["outcome"] == "completed"
    listed = subprocess.run(
        ["git", "-C", str(job.host / "checkout"), "for-each-ref", "refs/heads/paddock"], check=True, capture_output=True
    )
    assert job.document()["branch"] in listed.stdout.decode()


def test_the_same_path_on_both_sides_needs_no_map(job: Job) -> None:
    """What sandboxes mount of Paddock itself comes from the state, wherever it is installed."""
    code, said = job.paddock("run", ".", "--", "true", PADDOCK_STATE_DIR=f"{job.host}/state")

    assert code == 0, said
    (programs,) = (job.host / "state" / "programs").iterdir()
    assert {path.name for path in programs.iterdir()} == {"inside", "collector"}


def test_another_folder_of_the_same_name_is_never_taken_for_the_users(job: Job) -> None:
    mapped = {"PADDOCK_STATE_DIR": "/workspace/state", "PADDOCK_PATH_MAP": json.dumps({"/workspace": str(job.host)})}
    run = ("run", ".", "--policy", "/workspace/policy.toml", "--", "sh", "-c", SCRIPT)

    code, said = job.paddock(*run, **mapped)

    assert code == 30, said
    assert f"The engine did not mount {job.decoy} at /data, but something else of that name." in said
    assert "of the host" not in said, "nothing has run"

    both = json.dumps({"/workspace": str(job.host), str(job.decoy): str(job.host / "other")})
    code, said = job.paddock(*run, **{**mapped, "PADDOCK_STATE_DIR": "/workspace/again", "PADDOCK_PATH_MAP": both})
    assert code == 0, said
    assert "of the job" in said
