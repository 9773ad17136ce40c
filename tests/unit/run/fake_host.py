"""A host whose engine is the fake one: whole runs without Docker, in milliseconds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from runner.model.events import Event
from runner.model.settings import Settings
from runner.model.task import Task
from runner.run.cancellation import Cancellation
from runner.run.host import Host
from runner.sandbox.fake import FakeBox, FakeEngine

COLLECTOR = Path(__file__).parents[3] / "runner" / "repo" / "collector"


def collect_here(box: FakeBox) -> int:
    """The collector's program, run in place: what the tests' own agents wrote is no danger to the tests."""
    places = [("--workspace", "/workspace"), ("--in", "/paddock/in"), ("--out", "/out")]
    argv = [word for option, inside in places for word in (option, str(box.path(inside)))]
    done = subprocess.run([sys.executable, "-I", "-B", str(COLLECTOR), *argv], capture_output=True, check=False)
    box.write(done.stdout + done.stderr)
    return done.returncode


def git(repository: Path, *argv: str) -> str:
    """git, as the user or the agent of a test runs it."""
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.test", "-c", "init.defaultBranch=main"]
    command = ["git", *identity, "-c", f"safe.directory={repository}", "-C", str(repository), *argv]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def sample_repository(folder: Path) -> Path:
    """A repository with one commit."""
    repository = folder / "sample"
    repository.mkdir()
    git(repository, "init", "--quiet")
    (repository / "README").write_text("hello\n", encoding="utf-8")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "first")
    return repository


class FakeHost:
    """One host, its repository and its state directory."""

    def __init__(self, folder: Path) -> None:
        self.repository = sample_repository(folder)
        self.state = folder / "state"
        self.events: list[Event] = []
        self.output = bytearray()
        self.cancellation = Cancellation()
        self.engine = FakeEngine({"collector": collect_here})
        self.home = folder / "home"
        self.home.mkdir()

    def host(self) -> Host:
        """The host as `run_task` takes it."""
        return Host(
            settings=Settings(state_dir=self.state),
            engine=self.engine,
            home=self.home,
            cancellation=self.cancellation,
            tell=self.events.append,
            show=lambda _, data: self.output.extend(data),
        )

    def task(self, program: Callable[[FakeBox], int] = lambda _: 0, **details: object) -> Task:
        """A task whose agent is `program`."""
        self.engine.programs["program"] = program
        return Task.model_validate({"repo": str(self.repository), "argv": ("program",), **details})

    def branches(self) -> list[str]:
        """The branches of the user's repository."""
        return git(self.repository, "for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines()
