"""`paddock` as a process of its own, and what a test wants to know of a run afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.unit.repo.sources import fingerprint, git

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 90

WORK = "echo committed > committed && git add committed && git commit -qm 'by the agent' && echo left > left"
"""A commit, and a file that is left uncommitted."""
SUBJECTS = ["by the agent", "paddock: uncommitted work"]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What it printed on stdout, which has to be one JSON document and nothing else."""
        document: dict[str, Any] = json.loads(self.out)
        return document


@dataclass
class Paddock:
    """The command, with a state directory of its own."""

    state: Path
    folder: Path
    python: str = sys.executable
    module: str = "runner"
    variables: dict[str, str] = field(default_factory=dict)
    user: int | None = None
    groups: list[int] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        """The environment of the process; HOME and the engine's address are the test's own."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "DOCKER_HOST") if name in os.environ}
        return {**kept, "PYTHONPATH": str(ROOT), "PADDOCK_STATE_DIR": str(self.state), **self.variables}

    def popen(self, *argv: str | Path) -> subprocess.Popen[str]:
        """A command under way."""
        return subprocess.Popen(
            [self.python, "-m", self.module, *map(str, argv)],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            user=self.user,
            group=self.user,
            extra_groups=self.groups if self.user else None,
        )

    def __call__(self, *argv: str | Path) -> Done:
        """A command to its end."""
        return finish(self.popen(*argv))

    def good(self, *argv: str | Path) -> str:
        """The standard output of a command that has to succeed."""
        done = self(*argv)
        assert done.code == 0, f"{argv}\n{done.out}\n{done.err}"
        return done.out

    def run(self, repo: Path | str, script: str, *options: str | Path) -> dict[str, Any]:
        """The result document of a shell script's run; the process's exit code is the document's."""
        done = self("run", repo, "--json", *options, "--", "sh", "-c", script)
        assert done.out, done.err
        assert done.code == done.document["exit_code"]
        return done.document

    def policy(self, text: str) -> Path:
        """A policy file that extends the default one."""
        path = self.folder / "policy.toml"
        path.write_text(f'extends = "offline"\n{text}\n')
        path.chmod(0o644)
        return path

    def only_run(self) -> Path:
        """The directory of the one run that there is, as soon as there is one."""
        return until(lambda: next(iter(sorted((self.state / "runs").glob("*"))), None))

    def started(self, *argv: str | Path, said: str = "ready") -> subprocess.Popen[str]:
        """A run under way whose agent has printed `said`."""
        process = self.popen(*argv)
        until(lambda: self._said(said, process))
        return process

    def _said(self, said: str, process: subprocess.Popen[str]) -> bool:
        assert process.poll() is None, process.communicate()
        return any(said in log.read_text() for log in self.state.glob("runs/*/agent.log"))


def finish(process: subprocess.Popen[str]) -> Done:
    """Wait for a command; one that takes too long is killed and fails the test."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Done(process.returncode, out, err)


@contextmanager
def under_way(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that is gone after the test, whatever happened."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def until(ask: Callable[[], T | None]) -> T:
    """The first true answer."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if found := ask():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def outside_of_paddock(place: Path) -> dict[str, str]:
    """Everything in a repository but what Paddock may add: objects, and refs below refs/heads/paddock/ (promise 6)."""
    dot_git = place / ".git" if (place / ".git").is_dir() else place
    logged = f"{dot_git}/logs/refs/heads"
    own = (f"{dot_git}/objects", f"{dot_git}/refs/heads/paddock", f"{logged}/paddock")
    return {
        path: text
        for path, text in fingerprint(place).items()
        if not path.startswith(own) and path not in {f"{dot_git}/refs/heads", logged}
    }


def show(place: Path, branch: str, file: str) -> str:
    """One file of a branch."""
    return git(place, "show", f"{branch}:{file}")


def branches(place: Path) -> list[str]:
    """The branches that Paddock made."""
    return git(place, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/paddock").split()


def without(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A mapping without some of its keys."""
    return {name: value for name, value in mapping.items() if name not in names}
