"""A run asks the engine without the Docker SDK, which takes longer to load than all that a run asks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import runner

pytestmark = pytest.mark.docker

ROOT = Path(runner.__file__).parents[1]

LOADED = """
import sys
print(sorted({"docker", "requests", "urllib3"} & set(sys.modules)))
"""

CALLS = """
import sys
from pathlib import Path
from runner.sandbox.docker_engine import DockerEngine
from runner.settings import load_settings
from tests.contract.conftest import Bench

folder = Path(sys.argv[1])
engine = DockerEngine(load_settings().engine, state_dir=folder / "state", progress=print)
bench = Bench(engine, folder)
box = bench.create("both")
output = box.attach()
box.start()
assert sum(len(piece.data) for piece in output) > 0
assert box.wait(30.0).code == 0
box.usage(), box.written(), box.times(), box.differences(), list(box.replay())
assert engine.find(run=bench.run)
box.close()
assert not engine.find(run=bench.run)
assert engine.facts().cpus
"""

RUN = """
import sys
from pathlib import Path
from tests.integration.library import Library

state, repository = map(Path, sys.argv[1:])
assert Library(state, state).run(repository).outcome.value == "completed"
"""


def loaded(program: str, *argv: Path) -> str:
    """What of the SDK a fresh interpreter has loaded after that."""
    command = [sys.executable, "-c", program + LOADED, *map(str, argv)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_the_look_would_see_the_sdk() -> None:
    assert loaded("import docker") == "['docker', 'requests', 'urllib3']"


def test_the_calls_of_a_run_do_without_the_sdk(tmp_path: Path) -> None:
    assert loaded(CALLS, tmp_path) == "[]"


def test_a_whole_run_does_without_the_sdk(state_dir: Path, repository: Path) -> None:
    assert loaded(RUN, state_dir, repository) == "[]"
