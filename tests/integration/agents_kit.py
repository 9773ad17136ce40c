"""A host with keys, and an internet in which the test plays every model's API: what tests of real agents share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import trustme

from runner.model.activity import Activity, Progress
from runner.model.result import RunResult
from runner.model.task import Task
from runner.run.cancellation import Cancellation
from runner.run.execute import run_task
from runner.run.host import Host
from tests.integration.internet import Internet
from tests.integration.library import Library
from tests.models.dialogues import Dialogue
from tests.models.server import ModelServer, model_server
from tests.models.wire import Asked

KEYS = {
    "ANTHROPIC_API_KEY": "sk-ant-test-0123456789abcdef",
    "OPENAI_API_KEY": "sk-oai-test-0123456789abcdef",
    "GEMINI_API_KEY": "goog-test-0123456789abcdef",
}
APIS = ("api.anthropic.com", "api.openai.com", "generativelanguage.googleapis.com")
"""Never reached: a fake resolver gives them a made-up address, and `dial` goes to loopback."""


class Studio:
    """Runs of agents with models."""

    def __init__(self, library: Library, folder: Path, authority: trustme.CA) -> None:
        self.library = library
        self.folder = folder
        self.authority = authority
        self.variables = dict(KEYS)
        self.internet = Internet()
        self.watched: list[Activity | Progress] = []
        self.output = bytearray()
        self.cancellation = Cancellation()
        self.ca = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.ca))

    @contextmanager
    def model(self, dialogue: Dialogue | Callable[[Asked], Dialogue]) -> Iterator[ModelServer]:
        """Every provider's API, played by one server."""
        with model_server(self.authority, APIS, dialogue) as server:
            for name in APIS:
                self.internet.serve(name, 443, server.port)
            yield server

    def host(self, **settings: Any) -> Host:
        """The host, as a run gets it."""
        host = self.library.host
        return replace(
            host,
            outside=self.internet.outside(),
            variable=self.variables.get,
            watch=self.watched.append,
            show=lambda _, data: self.output.extend(data),
            cancellation=self.cancellation,
            settings=host.settings.model_copy(update={"extra_ca": self.ca, **settings}),
        )

    def run(self, repo: Path, agent: str, prompt: str = "Make the tests pass.", **details: Any) -> RunResult:
        """One task, to its end."""
        return run_task(self.task(repo, agent, prompt, **details), self.host())

    def task(self, repo: Path, agent: str, prompt: str = "Make the tests pass.", **details: Any) -> Task:
        """What an agent is asked for."""
        return Task.model_validate({"repo": str(repo), "agent": agent, "prompt": prompt, **details})

    def policy(self, text: str) -> str:
        """A policy file that extends the default one."""
        path = self.folder / "policy.toml"
        path.write_text(f'extends = "offline"\n{text}\n')
        return str(path)

    def cancel_after(self, seconds: float) -> None:
        """Ctrl-C, later."""
        threading.Timer(seconds, self.cancellation.request).start()
