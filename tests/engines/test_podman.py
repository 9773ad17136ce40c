"""Podman's Docker-compatible socket is told apart from Docker's, and refused with its reason before anything starts."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli import Paddock, until
from tests.unit.repo.sources import make_repository


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The socket of a Podman of the test's own."""
    place = Path(tempfile.mkdtemp(prefix="podman-"))
    socket = place / "p.sock"
    words = ["podman", f"--root={place}/root", f"--runroot={place}/run", "--cgroup-manager=cgroupfs", "--runtime=runc"]
    service = subprocess.Popen([*words, "system", "service", "--time=0", f"unix://{socket}"], stderr=subprocess.DEVNULL)
    try:
        until(socket.exists)
        yield f"unix://{socket}"
    finally:
        service.terminate()
        service.wait(30)
        for each in ("root/overlay", "run/overlay"):
            subprocess.run(["umount", str(place / each)], check=False, capture_output=True)
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def paddock(address: str, tmp_path: Path) -> Paddock:
    return Paddock(state=tmp_path / "state", folder=tmp_path, variables={"PADDOCK_ENGINE": address})


def test_the_doctor_says_what_it_is(paddock: Paddock) -> None:
    done = paddock("doctor", "--json")
    (engine,) = [finding for finding in json.loads(done.out) if finding["name"] == "engine"]
    assert (done.code, engine["level"], engine["value"].split()[0]) == (1, "failed", "Podman")
    assert "runs are refused" in engine["meaning"]


def test_a_run_is_refused_before_anything_starts(paddock: Paddock, tmp_path: Path) -> None:
    repository = make_repository(tmp_path / "repository")
    done = paddock("run", repository, "--json", "--", "true")
    assert (done.code, done.document["outcome"], done.document["id"]) == (30, "refused", "")
    assert "this engine is Podman" in done.document["reason"]
