"""A container that is killed without Docker: Docker is asked all the same where it may not have died of it."""

from __future__ import annotations

from typing import Any

import pytest

from runner.sandbox import docker_engine
from runner.sandbox.docker_engine import DockerBox


class Client:
    """The engine's API, as far as it is asked."""

    def __init__(self) -> None:
        self.killed: list[str] = []

    def kill(self, _container: str, signal: str) -> None:
        self.killed.append(signal)

    def inspect_container(self, _container: str) -> dict[str, Any]:
        return {"State": {"Pid": 7}}


@pytest.mark.parametrize(
    ("signal", "dies", "goes_on", "asked"),
    [
        ("SIGKILL", True, True, []),
        ("SIGKILL", True, False, ["SIGKILL"]),
        ("SIGKILL", False, True, ["SIGKILL"]),
        ("SIGTERM", True, True, ["SIGTERM"]),
    ],
    ids=["killed", "killed, but it may stand still", "not ours to kill", "asked to end"],
)
def test_docker_is_asked_where_the_kernel_did_not_do_it(
    signal: str, dies: bool, goes_on: bool, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_engine, "kill_beside", lambda *_: dies)
    monkeypatch.setattr(docker_engine, "freeze_beside", lambda *_, **__: goes_on)
    monkeypatch.setattr(docker_engine, "processes_beside", lambda *_: [7])
    client: Any = Client()
    box = DockerBox(client, "c0ffee", None)
    box.processes()
    box.signal(signal)

    assert client.killed == asked
