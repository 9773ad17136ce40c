"""`sandbox.runtime = "runsc"`: a kernel of its own, which has to show itself, and the limits hold there too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import UnenforceableError
from runner.model.result import Outcome, RunResult
from tests.integration.cli import WORK, show
from tests.integration.library import Library
from tests.integration.private_engine import PrivateEngine, private_engine
from tests.unit.repo.sources import make_repository

pytestmark = pytest.mark.docker

# Its own network stack cannot come up everywhere, and is not needed where there is only loopback; sockets of the host
# can be reached through its file server alone when that is asked for.
GVISOR = 'exec runsc --network=host --fsgofer-host-uds "$@"'


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateEngine]:
    place = tmp_path_factory.mktemp("runtime")
    wrapper = place / "wrapper"
    wrapper.write_text(f"#!/bin/sh\n{GVISOR}\n")
    wrapper.chmod(0o755)
    engine = private_engine(place)
    try:
        engine.stop()
        engine.start(f"--add-runtime=runsc={wrapper}")
        yield engine
    finally:
        engine.close()


@pytest.fixture
def gvisor(
    engine: PrivateEngine, state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Library]:
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    yield Library(state_dir, tmp_path)
    assert engine.containers() == []


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository")


def run(library: Library, repository: Path, script: str, policy: str = "") -> RunResult:
    path = repository.parent / "policy.toml"
    path.write_text(f'extends = "offline"\n{policy}\n[sandbox]\nruntime = "runsc"\n')
    path.chmod(0o644)
    result = library.run(repository, script, policy=path)
    assert result.leaks == ()
    return result


def log(result: RunResult) -> str:
    return Path(result.paths["log"]).read_text()


def test_an_agent_works_on_another_kernel(gvisor: Library, repository: Path) -> None:
    result = run(gvisor, repository, f"{WORK}; cat /proc/version; fallocate -l 1M reserved || true")
    assert result.outcome is Outcome.COMPLETED, result.reason
    assert show(repository, result.branch, "committed") == "committed"
    assert "Linux version 4.4.0" in log(result)
    assert "Operation not supported" in log(result)


@pytest.mark.parametrize(
    ("script", "limit", "outcome"),
    [
        ("while :; do sleep 1; done", 'wall_clock = "2s"', Outcome.TIMED_OUT),
        ("exec python3 -c 'b = bytearray(600 << 20)'", 'memory = "256MiB"', Outcome.OUT_OF_MEMORY),
        ("for i in 1 2 3; do head -c 40M /dev/zero > f$i; done; sleep 60", 'disk = "64MiB"', Outcome.DISK_EXCEEDED),
        (
            "exec 7>h; rm h; head -c 40M /dev/zero >&7; exec 8>h; rm h; head -c 40M /dev/zero >&8; sleep 60",
            'disk = "64MiB"',
            Outcome.DISK_EXCEEDED,
        ),
    ],
    ids=["time", "memory", "disk", "hidden files"],
)
def test_limits_hold_there(script: str, limit: str, outcome: Outcome, gvisor: Library, repository: Path) -> None:
    result = run(gvisor, repository, f"{WORK}\n{script}", f"[limits]\n{limit}")
    assert result.outcome is outcome, result.reason
    assert show(repository, result.branch, "committed") == "committed"


def test_too_few_processes_for_its_own_threads_are_refused(gvisor: Library, repository: Path) -> None:
    with pytest.raises(UnenforceableError, match="gVisor's own threads"):
        run(gvisor, repository, WORK, "[limits]\npids = 64")


def test_a_network_that_it_cannot_serve_ends_the_run_before_the_agent_begins(gvisor: Library, repository: Path) -> None:
    result = run(gvisor, repository, WORK, '[network]\nmode = "allow"\nallow = ["allowed.test"]')
    assert (result.outcome, result.branch) == (Outcome.ENGINE_FAILED, "")
    assert "The network inside the sandbox is not up" in result.reason


def test_a_runtime_that_only_has_its_name_is_found_out(
    engine: PrivateEngine, tmp_path: Path, gvisor: Library, repository: Path
) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text('#!/bin/sh\nexec runc "$@"\n')
    wrapper.chmod(0o755)
    engine.stop()
    engine.start(f"--add-runtime=runsc={wrapper}")
    result = run(gvisor, repository, WORK)
    assert (result.outcome, result.branch) == (Outcome.REFUSED, "")
    assert 'the runtime is "runsc", but the kernel inside is' in result.reason
