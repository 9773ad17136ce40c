"""A sandbox that is made ahead, and started while its gateway is opened: both go in the end, the sandbox first."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from runner.errors import ContainerGoneError, EngineError, StoreError
from runner.plan import GATEWAY_SOCKET
from runner.run import launch


class Stage:
    """What happens in a launch, in its order; the sandbox needs as long as the gateway does."""

    def __init__(self, folder: Path) -> None:
        self.told: list[str] = []
        self.start_fails = self.gateway_fails = False
        self.goes_away = 0
        """How often it goes away before it is started."""
        self.made, self.asked, self.opened = Event(), Event(), Event()
        self.attempt: Any = SimpleNamespace(
            prepared=SimpleNamespace(route=object(), secrets={}),
            host=SimpleNamespace(engine=None, clock=None),
            paths=SimpleNamespace(control=folder),
            spec=None,
        )
        self.socket = folder / GATEWAY_SOCKET

    @contextmanager
    def start_sandbox(self, *given: Any) -> Iterator[str]:
        self.told.append("sandbox made")
        self.made.set()
        try:
            given[-1]()  # as soon as it may be started
            if self.goes_away:
                self.goes_away -= 1
                raise ContainerGoneError("somebody has cleaned up")
            yield self.started()
        finally:
            self.told.append("sandbox gone")

    def started(self) -> str:
        with socket.socket(socket.AF_UNIX) as inside:
            inside.connect(str(self.socket))  # there is somebody to ask, whether or not there is a gateway yet
            self.asked.set()
            assert self.opened.wait(10)
            if self.gateway_fails:
                inside.settimeout(10)
                with pytest.raises(ConnectionResetError):  # nobody waits for what will not be there
                    inside.recv(1)
        if self.start_fails:
            raise EngineError("it does not start")
        self.told.append("sandbox started")
        return "the sandbox"

    @contextmanager
    def network_of(self, _attempt: object, listener: socket.socket) -> Iterator[str]:
        assert self.asked.wait(10)
        self.opened.set()
        if self.gateway_fails:
            raise StoreError("it cannot be opened")
        assert listener.fileno() != -1
        try:
            yield "the gateway"
        finally:
            self.told.append("gateway gone")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage(tmp_path)
    monkeypatch.setattr(launch, "start_sandbox", stage.start_sandbox)
    monkeypatch.setattr("runner.run.watching.network_of", stage.network_of)
    return stage


def under_way(stage: Stage, scope: ExitStack) -> launch.Launch:
    """A launch that has been made and started."""
    launched = scope.enter_context(launch.launching(stage.attempt))
    launched.make()
    launched.start()
    return launched


def test_the_sandbox_is_made_beforehand_and_both_are_there_once_it_is_started(stage: Stage) -> None:
    with launch.launching(stage.attempt) as launched:
        launched.make()
        assert stage.made.wait(10)
        assert not stage.asked.wait(0.1), "nobody may be in the sandbox yet"
        launched.start()
        both: tuple[Any, Any] = (launched.result(), launched.gateway)
    assert both == ("the sandbox", "the gateway")
    assert stage.told == ["sandbox made", "sandbox started", "sandbox gone", "gateway gone"]
    assert not stage.socket.exists()


def test_a_sandbox_that_nobody_waited_for_is_gone_all_the_same(stage: Stage) -> None:
    with ExitStack() as scope:
        under_way(stage, scope)
    assert stage.told == ["sandbox made", "sandbox started", "sandbox gone", "gateway gone"]


def test_a_sandbox_that_was_made_for_nothing_is_never_started(stage: Stage) -> None:
    with launch.launching(stage.attempt) as launched:
        launched.make()
    assert stage.told == ["sandbox made", "sandbox gone"]
    assert not stage.asked.is_set()
    assert not stage.socket.exists()


def test_what_was_not_even_made_leaves_nothing(stage: Stage) -> None:
    with launch.launching(stage.attempt):
        pass
    assert stage.told == []
    assert not stage.socket.exists()


def test_a_sandbox_that_is_taken_away_before_it_is_started_is_made_once_more(stage: Stage) -> None:
    stage.goes_away = 1
    with ExitStack() as scope:
        assert under_way(stage, scope).result() == "the sandbox"  # type: ignore[comparison-overlap]
    once = ["sandbox made", "sandbox gone"]
    assert stage.told == [*once, "sandbox made", "sandbox started", "sandbox gone", "gateway gone"]


def test_a_sandbox_that_is_taken_away_and_not_wanted_any_more_is_not_made_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def taken_away(*_: object) -> Iterator[str]:
        stage.told.append("sandbox made")
        stage.made.set()
        assert stage.opened.wait(10)
        if stage.opened.is_set():
            raise ContainerGoneError("while the engine looked at it")
        yield ""

    monkeypatch.setattr(launch, "start_sandbox", taken_away)
    with launch.launching(stage.attempt) as launched:
        launched.make()
        assert stage.made.wait(10)
        stage.opened.set()
    assert stage.told == ["sandbox made"]


def test_a_sandbox_that_is_taken_away_again_and_again_is_an_error(stage: Stage) -> None:
    stage.goes_away = 2
    stage.asked.set()  # the gateway waits for nobody
    with ExitStack() as scope, pytest.raises(ContainerGoneError, match="cleaned up"):
        under_way(stage, scope).result()
    assert stage.told == [*["sandbox made", "sandbox gone"] * 2, "gateway gone"]


def test_a_start_that_fails_is_told_where_it_is_waited_for(stage: Stage) -> None:
    stage.start_fails = True
    with ExitStack() as scope:
        launched = under_way(stage, scope)
        with pytest.raises(EngineError, match="does not start"):
            launched.result()
    assert stage.told == ["sandbox made", "sandbox gone", "gateway gone"]


def test_a_gateway_that_cannot_be_opened_leaves_nobody_waiting_for_it(stage: Stage) -> None:
    stage.gateway_fails = True
    with ExitStack() as scope, pytest.raises(StoreError, match="cannot be opened"):
        under_way(stage, scope)
    assert stage.told == ["sandbox made", "sandbox started", "sandbox gone"]
    assert not stage.socket.exists()


def test_closing_it_once_more_does_nothing(stage: Stage) -> None:
    with ExitStack() as scope:
        launched = under_way(stage, scope)
        launched.result()
        launched.close()
        before = list(stage.told)
    assert stage.told == before == ["sandbox made", "sandbox started", "sandbox gone", "gateway gone"]
