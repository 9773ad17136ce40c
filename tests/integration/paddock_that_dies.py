"""`paddock` as a process that is killed with SIGKILL at one of its fault points: just before, or just after an effect.

Started as `python -m tests.integration.paddock_that_dies ARGS...`. FAULT is the point at which it dies: its number,
counted from 1, or its name. With 0 it passes them all, and writes their names to the file FAULT_LOG. FAULT_SIGNAL is
the signal. With FAULT_FILL it does not die: it fills the disk with a file of that name.
"""

from __future__ import annotations

from runner.settings import leave_plugins_out

leave_plugins_out()

import os  # noqa: E402 - what stands above comes first in the real command, too
import signal  # noqa: E402
from collections.abc import Callable  # noqa: E402
from contextlib import suppress  # noqa: E402
from pathlib import Path  # noqa: E402
from threading import Lock, current_thread, main_thread  # noqa: E402
from typing import Any  # noqa: E402

from runner.cli import app  # noqa: E402
from runner.repo import git  # noqa: E402
from runner.run.journal import Journal  # noqa: E402
from runner.sandbox.docker_engine import DockerBox, DockerEngine  # noqa: E402
from runner.store import files, tree  # noqa: E402
from runner.store.ledger import Ledger  # noqa: E402

LOCK = Lock()


def fill(path: Path) -> None:
    """Take all that a file system has left."""
    with path.open("ab", buffering=0) as file:
        for size in (1024 * 1024, 4096, 1):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


class Faults:
    """Counts the points that are passed; the last of them is the end."""

    def __init__(self, at: str, log: str, number: int) -> None:
        self.at = at
        self.log = Path(log)
        self.signal = number
        self.fill = os.environ.get("FAULT_FILL", "")
        self.passed = 0

    def point(self, name: str) -> None:
        """Die here, if it is the one. Threads do not count that nobody waits for: they come in no order."""
        if current_thread() is not main_thread() and not current_thread().name.startswith("launch"):
            return
        with LOCK:
            self.passed += 1
            if self.at == "0":
                with self.log.open("a") as log:
                    log.write(f"{name}\n")
            if self.at in {str(self.passed), name}:
                if self.fill:
                    fill(Path(self.fill))
                else:
                    os.kill(os.getpid(), self.signal)

    def at_each(self, place: object, name: str, told: Callable[..., str], *, after: bool = False) -> None:
        """A point before each call of a function that `told` has a name for; another one after it, if that differs."""
        real = getattr(place, name)

        def called(*argv: Any, **options: Any) -> Any:
            if what := told(*argv):
                self.point(f"before {what}")
            try:
                return real(*argv, **options)
            finally:
                if what and after:
                    self.point(f"after {what}")

        setattr(place, name, called)


READING = {"cat-file", "ls-tree", "diff-tree", "rev-list", "merge-base", "for-each-ref", "rev-parse", "version"}


def of_git(each: Any) -> str:
    """A git process that changes something."""
    word = next(word for word in each.command.argv if not word.startswith("-"))
    return "" if word in READING else f"git {word}"


def prepare(faults: Faults) -> None:
    """Every effect that lasts: events, files (also written and not yet renamed), rows, containers, git, removals."""
    faults.at_each(Journal, "event", lambda _, event: f"event {event.kind} {getattr(event, 'phase', '')}".strip())
    faults.at_each(files, "_write_new", lambda path, *_: f"writing {path.name.split('.')[1]}", after=True)
    faults.at_each(Ledger, "_change", lambda _, statement, __: f"row {statement.split()[0]}", after=True)
    faults.at_each(DockerEngine, "create", lambda _, spec, __: f"creating the {spec.role.value}", after=True)
    faults.at_each(DockerBox, "start", lambda _: "starting", after=True)
    faults.at_each(DockerBox, "close", lambda _: "removing a container")
    faults.at_each(git._Running, "__enter__", of_git, after=True)
    faults.at_each(tree, "_remove_once", lambda path: f"removing {path.name}" if path.exists() else "")


if __name__ == "__main__":
    prepare(Faults(os.environ["FAULT"], os.environ["FAULT_LOG"], signal.Signals[os.environ["FAULT_SIGNAL"]]))
    app.main()
