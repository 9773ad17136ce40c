"""Where a benchmark works: a folder of its own with a small repository, a state directory and the `paddock` command."""

from __future__ import annotations

import json
import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import call

FILES = 20
AUTHOR = ("-c", "user.name=Benchmark", "-c", "user.email=benchmark@localhost")


@dataclass(frozen=True)
class Place:
    """The folder, and the names in it."""

    folder: Path
    paddock: Path
    """The installed command, as a user starts it."""

    @property
    def repository(self) -> Path:
        """A small repository."""
        return self.folder / "repository"

    @property
    def environment(self) -> dict[str, str]:
        """What the commands see besides the user's own environment."""
        engine = os.environ.get("PADDOCK_ENGINE")
        return {
            "PADDOCK_STATE_DIR": str(self.folder / "state"),
            # An installed program is compiled; a checkout may not be, and this leaves nothing behind in it.
            "PYTHONPYCACHEPREFIX": str(self.folder / "bytecode"),
            **({"DOCKER_HOST": engine} if engine else {}),
        }

    def run(self, *words: str) -> dict[str, Any]:
        """`paddock run` on the small repository; its result document. Ends the benchmark when the run fails."""
        argv: list[str | Path] = [self.paddock, "run", self.repository, "--json", *words]
        result: dict[str, Any] = json.loads(call(*argv, environment=self.environment))
        return result


def installed_paddock() -> Path:
    """The command beside this Python."""
    return Path(sysconfig.get_path("scripts")) / "paddock"


@contextmanager
def working_place(paddock: Path) -> Iterator[Place]:
    """A fresh place, removed afterwards. Ends the benchmark when there is no `paddock`."""
    if not paddock.exists():
        raise SystemExit(f"{paddock} is missing: install Paddock for {sys.executable} first (`make setup`)")
    with tempfile.TemporaryDirectory(prefix="paddock-bench.") as folder:
        place = Place(Path(folder), paddock)
        _make_repository(place.repository)
        yield place


def _make_repository(path: Path) -> None:
    path.mkdir()
    for number in range(FILES):
        (path / f"module_{number}.py").write_text(f'"""Module {number}."""\n' + "VALUE = 1\n" * 20)
    call("git", "init", "--quiet", "--initial-branch=main", path)
    call("git", "-C", path, "add", ".")
    call("git", "-C", path, *AUTHOR, "commit", "--quiet", "--message", "A small repository")
