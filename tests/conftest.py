"""What holds for every test: a clean environment, a state directory of its own, no skip that passes, and no leaks.

`PADDOCK_REQUIRE=docker` says that an engine must be there: then every skip, whatever its reason, is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from docker import APIClient

    from runner.sandbox.docker_api import EngineApi

RUN_LABEL = "paddock.run"
STATE_LABEL = "paddock.state"
FOREIGN = ("GIT_", "PADDOCK_", "DOCKER_", "XDG_")
"""Variables of whoever runs the tests that would change what Paddock or git does."""

REQUIRED = frozenset(os.environ.get("PADDOCK_REQUIRE", "").split(","))
ENGINE_ADDRESS = os.environ.get("PADDOCK_ENGINE") or os.environ.get("DOCKER_HOST")

settings.register_profile("paddock", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("paddock")


# --- the engine ---------------------------------------------------------------------------------------------------


def connect() -> APIClient:
    """A client of the engine that the tests use. Raises `DockerException` when none answers."""
    from docker import APIClient

    return APIClient(base_url=ENGINE_ADDRESS, version="auto", timeout=60)


def engine_api() -> EngineApi:
    """The same engine, as Paddock asks it."""
    from runner.sandbox.docker_api import EngineApi

    return EngineApi(ENGINE_ADDRESS or "unix:///var/run/docker.sock")


@cache
def why_no_engine() -> str:
    """Empty when an engine answers, else its reason."""
    from docker.errors import DockerException

    try:
        client = connect()
    except DockerException as error:
        return f"no Docker engine answers: {error}"
    client.close()
    return ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs an engine where there is none; under PADDOCK_REQUIRE=docker that skip fails."""
    if item.get_closest_marker("docker") and (reason := why_no_engine()):
        pytest.skip(reason)


@pytest.fixture
def docker_client() -> Iterator[APIClient]:
    """A client of the engine, closed after the test. Only for tests that are marked `docker`."""
    client = connect()
    yield client
    client.close()


# --- no skip that passes ------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a skipped test where skips are forbidden; an expected failure is no skip."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that skips itself where skips are forbidden."""
    report = yield
    if report.skipped:
        _forbid_skip(report)
    return report


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if "docker" not in REQUIRED:
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"PADDOCK_REQUIRE=docker forbids skips; this one said: {reason}"


# --- a clean place ------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _clean_environment(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Move HOME away and forget foreign variables; the engine's address stays for the tests that use it."""
    for name in os.environ:
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    if ENGINE_ADDRESS and request.node.get_closest_marker("docker"):
        monkeypatch.setenv("DOCKER_HOST", ENGINE_ADDRESS)


@pytest.fixture
def state_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh state directory, in PADDOCK_STATE_DIR too."""
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(folder))
    return folder


# --- no leaks -----------------------------------------------------------------------------------------------------


def labelled(root: Path) -> dict[str, str]:
    """What the engine holds with a run's label, by id, but for what a state directory outside `root` owns."""
    found: dict[str, str] = {}
    if why_no_engine():
        return found
    client = connect()
    chosen = {"label": RUN_LABEL}
    for container in client.containers(all=True, filters=chosen):
        found[container["Id"]] = _describe("container", container["Names"][0], container["Labels"], root)
    for volume in client.volumes(filters=chosen)["Volumes"] or ():
        found[volume["Name"]] = _describe("volume", volume["Name"], volume["Labels"], root)
    client.close()
    return {key: text for key, text in found.items() if text}


def _describe(kind: str, name: str, labels: dict[str, str], root: Path) -> str:
    """One line on what is there; empty when it belongs to somebody else's run on the same machine."""
    state = labels.get(STATE_LABEL, "")
    foreign = state.startswith("/") and not Path(state).is_relative_to(root)
    return "" if foreign else f"{kind} {name} of run {labels[RUN_LABEL]}"


def _root(session: pytest.Session) -> Path:
    """The folder under which every test of this session has its state directory."""
    factory = cast(Any, session.config)._tmp_path_factory  # the fixture of that name cannot be had from a hook
    return Path(factory.getbasetemp())


_BEFORE = pytest.StashKey[set[str]]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember what was there before; the controller does so, not each worker."""
    if not hasattr(session.config, "workerinput"):
        session.config.stash[_BEFORE] = set(labelled(_root(session)))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session when its tests left a container or a volume behind (promise 8)."""
    before = session.config.stash.get(_BEFORE, None)
    if before is None:
        return
    left = [text for key, text in labelled(_root(session)).items() if key not in before]
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = cast(Any, session.config.pluginmanager.get_plugin("terminalreporter"))
        reporter.section("left behind", red=True)
        for text in left:
            reporter.line(text)
