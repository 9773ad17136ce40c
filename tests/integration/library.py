"""Paddock as a library: a run without a process of its own, which saves half of its time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runner.egress.outside import Outside
from runner.model.result import RunResult
from runner.model.task import Task
from runner.run.execute import run_task
from runner.run.host import Host
from runner.sandbox.docker_engine import DockerEngine
from runner.settings import load_settings
from tests.integration.cli import WORK


class Library:
    """`run_task` with the real engine and a state directory of the test's own."""

    def __init__(self, state: Path, home: Path) -> None:
        self.engine = DockerEngine(load_settings().engine, state_dir=state, progress=print)
        self.host = Host(settings=load_settings(state_dir=state), engine=self.engine, home=home)

    def run(
        self,
        repo: Path | str,
        script: str = WORK,
        *,
        base: str = "",
        policy: Path | None = None,
        outside: Outside | None = None,
        image: str = "",
    ) -> RunResult:
        """The result of a shell script's run; `outside` is the internet that its gateway sees."""
        command = ("sh", "-c", script)
        task = Task(repo=str(repo), argv=command, base=base, policy=str(policy or "offline"), image=image)
        return run_task(task, replace(self.host, outside=outside))
