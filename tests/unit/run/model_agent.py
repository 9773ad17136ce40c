"""An agent with a model on the fake engine: it prints what Claude Code prints, and does what the test says."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from runner.model.settings import Settings
from runner.model.task import Task
from runner.run.host import Host
from runner.sandbox.fake import FakeBox, FakeEngine
from tests.unit.run.fake_host import FakeHost, collect_here, git

KEY = "sk-test-0123456789abcdef"
SESSION = "0b1c2d3e-session"


def say(box: FakeBox, *events: dict[str, Any]) -> None:
    """Lines of an event stream."""
    for event in events:
        box.write(json.dumps(event).encode() + b"\n")


def started() -> dict[str, Any]:
    """The first line."""
    return {"type": "system", "subtype": "init", "session_id": SESSION}


def ended(text: str) -> dict[str, Any]:
    """The last line."""
    return {"type": "result", "subtype": "success", "is_error": False, "result": text}


def commit(box: FakeBox, name: str, text: str = "new\n") -> None:
    """One file, committed."""
    workspace = box.path("/workspace")
    (workspace / name).write_text(text, encoding="utf-8")
    git(workspace, "add", name)
    git(workspace, "commit", "--quiet", "--message", f"add {name}")


class ModelHost(FakeHost):
    """A host with a key, and `claude` on the fake engine. `agent` gets every box whose first word is the agent's."""

    def __init__(self, folder: Any) -> None:
        super().__init__(folder)
        self.engine = FakeEngine({"collector": collect_here}, images=("base", "claude"))
        self.watched: list[Any] = []
        self.variables = {"ANTHROPIC_API_KEY": KEY}
        self.agent: Callable[[FakeBox], int] = lambda box: say(box, started(), ended("done")) or 0  # type: ignore[func-returns-value]
        self.check: Callable[[FakeBox], int] = lambda _: 0
        self.engine.programs["sh"] = self.shell
        self.settings: dict[str, Any] = {}

    def shell(self, box: FakeBox) -> int:
        """The agent is fed by a shell, and a check is a shell's command."""
        return self.agent(box) if "claude" in box.spec.argv else self.check(box)

    def host(self) -> Host:
        """See `FakeHost.host`."""
        return replace(
            super().host(),
            watch=self.watched.append,
            variable=self.variables.get,
            settings=Settings(state_dir=self.state, **self.settings),
        )

    def ask(self, prompt: str = "mend it", **details: Any) -> Task:
        """A task for the agent."""
        return Task.model_validate({"repo": str(self.repository), "agent": "claude", "prompt": prompt, **details})
