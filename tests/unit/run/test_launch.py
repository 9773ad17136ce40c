"""A sandbox that is started while its gateway is opened: whatever fails, both are gone, the sandbox first."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from runner.errors import EngineError, StoreError
from runner.plan import GATEWAY_SOCKET
from runner.run import launch


class Stage:
    """What happens in a launch, in its order; the sandbox needs as long as the gateway does."""

    def __init__(self, folder: Path) -> None:
        self.told: list[str] = []
        self.start_fails = self.gateway_fails = False
        self.asked, self.opened = Event(), Event()
        self.attempt: Any = SimpleNamespace(
            prepared=SimpleNamespace(route=object(), secrets={}),
            host=SimpleNamespace(engine=None, clock=None),
            paths=SimpleNamespace(control=folder),
            spec=None,
        )
        self.socket = folder / GATEWAY_SOCKET

    @contextmanager
    def start_sandbox(self, *_: object) -> Iterator[str]:
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
        self.told.append("sandbox made")
        try:
            yield "the sandbox"
        finally:
            self.told.append("sandbox gone")

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


def test_both_are_there_and_the_sandbox_goes_first(stage: Stage) -> None:
    with launch.launching(stage.attempt) as launched:
        both: tuple[Any, Any] = (launched.result(), launched.gateway)
    assert both == ("the sandbox", "the gateway")
    assert stage.told == ["sandbox made", "sandbox gone", "gateway gone"]
    assert not stage.socket.exists()


def test_a_sandbox_that_nobody_waited_for_is_gone_all_the_same(stage: Stage) -> None:
    with pytest.raises(KeyboardInterrupt), launch.launching(stage.attempt):
        raise KeyboardInterrupt
    assert stage.told == ["sandbox made", "sandbox gone", "gateway gone"]


def test_a_start_that_fails_is_told_where_it_is_waited_for(stage: Stage) -> None:
    stage.start_fails = True
    with pytest.raises(EngineError, match="does not start"), launch.launching(stage.attempt) as launched:
        launched.result()
    assert stage.told == ["gateway gone"]


def test_a_gateway_that_cannot_be_opened_leaves_nobody_waiting_for_it(stage: Stage) -> None:
    stage.gateway_fails = True
    with pytest.raises(StoreError, match="cannot be opened"), launch.launching(stage.attempt):
        pytest.fail("there is no gateway")
    assert stage.told == ["sandbox made", "sandbox gone"]
    assert not stage.socket.exists()
