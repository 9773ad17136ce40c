"""A user of agents with models: the command in a made-up internet, a repository, and what a summary says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

from tests.integration.agents_kit import APIS, KEYS
from tests.integration.cli import Done, Paddock
from tests.models.dialogues import Dialogue, Turn
from tests.models.server import ModelServer, model_server
from tests.models.wire import Asked


@dataclass
class User:
    """The command, a repository, and a model whose words the test chooses."""

    paddock: Paddock
    repository: Path
    authority: trustme.CA

    def __post_init__(self) -> None:
        ca = self.paddock.folder / "authority.pem"
        self.authority.cert_pem.write_to_path(str(ca))
        self.paddock.module = "tests.integration.paddock_with_models"
        self.paddock.variables |= {**KEYS, "PADDOCK_EXTRA_CA": str(ca), "MODEL_PORT": "1"}

    @contextmanager
    def model(self, dialogue: Dialogue | Callable[[Asked], Dialogue]) -> Iterator[ModelServer]:
        """Every provider's API."""
        with model_server(self.authority, APIS, dialogue) as server:
            self.paddock.variables["MODEL_PORT"] = str(server.port)
            yield server

    def run(self, *words: str | Path, agent: str = "claude") -> Done:
        """`paddock run` on the repository."""
        return self.paddock("run", self.repository, "--agent", agent, *words)

    def configure(self, text: str) -> None:
        """A config file."""
        path = self.paddock.folder / "config.toml"
        path.write_text(text)
        self.paddock.variables["PADDOCK_CONFIG"] = str(path)


def says(text: str) -> Dialogue:
    """A model that answers and does nothing."""
    return Dialogue(turns=(Turn(text),))


def facts(text: str) -> dict[str, list[str]]:
    """The lines of a summary, by the word that they begin with; a line without one belongs to the word above."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.rpartition("\n\n")[2].splitlines()[1:]:
        name = line[2:12].strip() or name
        found.setdefault(name, []).append(line[12:].strip())
    return found


def the_id(done: Done) -> str:
    """The id of the run, as its summary has it."""
    return facts(done.err)["run"][0]
