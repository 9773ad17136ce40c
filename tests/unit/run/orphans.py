"""Runs whose Paddock is gone from one moment to the next, while what it started lives on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runner.model.result import RunResult
from runner.model.task import Task
from runner.run import at_work, collector, start
from runner.run.execute import run_task
from runner.run.host import Host
from runner.run.take_up import end_orphan, take_up
from runner.sandbox.fake import FakeBox
from runner.store.ledger import Ledger
from runner.store.runs import RunPaths, run_paths
from tests.unit.run.fake_host import FakeHost

DEAD = 2**22
"""A process id that no process has."""


class PowerCutError(BaseException):
    """Paddock is gone from one moment to the next: nothing of ours catches this."""


@dataclass
class Orphanage:
    """One host whose Paddocks die while their agents work."""

    fake: FakeHost
    monkeypatch: pytest.MonkeyPatch
    options: dict[str, object] = field(default_factory=dict)

    def orphan(self, program: Callable[[FakeBox], int], said: bytes = b"ready", **details: object) -> RunPaths:
        """A run whose Paddock dies as soon as the agent has printed `said`; what it had started stays."""
        real = at_work.supervise  # type: ignore[attr-defined]

        def dies(watched: object, output: object) -> None:
            heard = b""
            for piece in output:  # type: ignore[attr-defined]
                heard += piece.data
                watched.log.write(piece.stream, piece.data)  # type: ignore[attr-defined]
                if said in heard:
                    raise PowerCutError

        task = details.pop("task", None) or self.fake.task(program, **details)
        assert isinstance(task, Task)
        with self.monkeypatch.context() as patch:
            patch.setattr(at_work, "supervise", dies)
            for module in (start, collector):
                patch.setattr(module, "close_quietly", lambda _: None)
            with pytest.raises(PowerCutError):
                run_task(task, self.fake.host())
        assert at_work.supervise is real  # type: ignore[attr-defined]
        return self.abandoned()

    def abandoned(self) -> RunPaths:
        """The newest run, whose row names a process that there is not."""
        with Ledger(self.fake.host().ledger) as ledger:
            row = ledger.list(running_only=True)[0]
            assert ledger.take_over(row.id, row, DEAD, 1)
        return run_paths(self.fake.state, row.id)

    def take_up(self, paths: RunPaths, host: Host | None = None, *, stop: bool = False) -> RunResult:
        """What `paddock recover` does; with `stop`, what `paddock recover --stop` does."""
        host = host or self.fake.host()
        with Ledger(host.ledger) as ledger:
            row = ledger.get(paths.id)
            assert row is not None
            result = (end_orphan if stop else take_up)(row, paths, host, ledger)
            closed = ledger.get(paths.id)
        assert closed is not None
        assert (closed.state, closed.outcome) == ("ended", result.outcome.value)
        assert self.fake.engine.boxes == {}, "nothing that was started is left"
        return result

    def policy(self, text: str) -> str:
        """A policy file that extends the default one."""
        path = Path(self.fake.home) / "policy.toml"
        path.write_text(f'extends = "offline"\n{text}\n')
        return str(path)
