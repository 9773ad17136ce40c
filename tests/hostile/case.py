"""What a `case.toml` says: one attack, the open setup in which it works, and how Paddock has to answer it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runner.model.base import Record
from runner.model.result import Outcome, Verdict

CASES = Path(__file__).with_name("cases")
WORLDS = Path(__file__).with_name("worlds")
INSIDE = Path(__file__).with_name("inside")
PRELUDES = {".sh": ("sh", "-euc"), ".py": ("python3", "-c")}


class Control(Record):
    """The open setup, in which the attack must succeed: a container, a naive tool of the host, or another policy."""

    docker: tuple[str, ...] | None = None
    """Options of `docker run`; the attack runs in that container."""
    prints: tuple[str, ...] = ()
    """Lines that the attack prints there."""
    naive: tuple[str, ...] | None = None
    """Shell lines that a naive tool of the host types in the agent's directory, after the attack ran in it."""
    fires: tuple[str, ...] = ()
    """Canaries that these lines set off."""
    shows: tuple[str, ...] = ()
    """Pieces of text that these lines print."""
    hangs: bool = False
    """Whether the last of these lines waits for ever."""
    reaches: tuple[str, ...] = ()
    """Listeners of the host (`tcp`, `udp`) that hear of the attack."""


class Answer(Record):
    """What Paddock makes of it. What is not named here has to be as in a run without an attack."""

    outcome: Outcome
    prints: tuple[str, ...] = ("planted",)
    """Lines that the attack prints inside: the evidence that it was really tried."""
    gates: dict[str, Verdict] = {}
    """Exactly the gates that do not pass."""
    details: tuple[str, ...] = ()
    """Pieces of text that the details of these gates hold."""
    branches: tuple[str, ...] = ()
    """Branches inside that reach the user's repository, the one to review first; `""` is a detached HEAD."""
    diff: tuple[str, ...] = ()
    """Lines that `diff.patch` holds."""
    subjects: tuple[str, ...] | None = None
    """Subjects of the collected commits, escaped."""
    artifacts: tuple[str, ...] | Literal["any"] = ()
    """Names of the files that are handed over beside the commits; `any` where chance decides."""
    notices: tuple[str, ...] = ()
    """Pieces of the result's notices."""
    keeps_workspace: bool = False
    agent_exit_code: int | None = 0
    terminal: bool = False
    """Whether every command is also looked at on a terminal, where no escape may come through."""
    refused: str = ""
    """Part of the message of a run that is refused before anything starts."""
    doctor: tuple[str, ...] = ()
    """Components whose version `paddock doctor` tells; then nothing is run."""
    within: float = 60.0
    """Seconds."""


class OnTheNetwork(Record):
    """What is to be seen of the attack outside. Cases of one world share a sandbox: each uses names of its own."""

    world: str
    """The policy, a file of `worlds/`."""
    names: dict[str, tuple[str, ...]] = {}
    """Addresses of names; every other name has one public address."""
    turns: dict[str, tuple[tuple[str, ...], ...]] = {}
    """Names with other addresses at every lookup."""
    plain: tuple[str, ...] = ()
    """Addresses at which nobody speaks TLS, in a world with injected keys."""
    audit: tuple[str, ...] = ()
    """Lines of `egress.jsonl`, none twice: `lookup NAME VERDICT REASON`, `connect NAME:PORT ...`, `protocol ...`."""
    dialled: tuple[str, ...] = ()
    """`ADDRESS:PORT`, then `silent` where nothing was heard, `goods` for the attackers' word, `key` for a key."""
    resolved: tuple[str, ...] = ()
    """Names that the host looked up, with `x2` after one that it looked up twice."""
    hears_at_most: int | None = None
    """Bytes that all servers together may get from the world's sandbox."""


class CaseFile(Record):
    """The whole of a `case.toml`."""

    wants: str
    """What the attacker wants, in one sentence."""
    batch: bool = False
    """Whether the attack may share one sandbox with others."""
    control: Control
    policy: Answer
    network: OnTheNetwork | None = None
    """For attacks under a policy that opens the network."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One folder below `cases/`."""

    folder: Path
    file: CaseFile

    @property
    def name(self) -> str:
        """`L134/fsmonitor`."""
        return "/".join(self.folder.parts[-2:])

    @property
    def script(self) -> Path:
        """The attack's own lines."""
        return next(path for path in sorted(self.folder.glob("attack.*")))

    @property
    def argv(self) -> tuple[str, ...]:
        """The attack as a command that needs no file: prelude and script on the command line."""
        script = self.script
        prelude = (INSIDE / f"prelude{script.suffix}").read_text()
        return (*PRELUDES[script.suffix], prelude + script.read_text())

    @property
    def plant(self) -> str:
        """What the open container needs beforehand, done as its root user; empty when there is nothing."""
        path = self.folder / "plant.sh"
        return path.read_text() if path.exists() else ""

    @property
    def secret(self) -> str:
        """What becomes of the file `$SECRET`, in which the host keeps the key `API_KEY`; empty where it has none."""
        path = self.folder / "secret.sh"
        return path.read_text() if path.exists() else ""

    @property
    def dockerfile(self) -> str:
        """An image of the attacker's, on top of ours; empty when there is none."""
        path = self.folder / "Dockerfile"
        return path.read_text() if path.exists() else ""

    @property
    def policy_file(self) -> str:
        """The policy of the run: the case's own file, or the default."""
        path = self.folder / "policy.toml"
        return str(path) if path.exists() else "offline"

    @property
    def control_policy(self) -> str:
        """The policy under which a refused run is none; empty when the control leg is another."""
        path = self.folder / "control.toml"
        return str(path) if path.exists() else ""


def load_cases() -> list[Case]:
    """Every case, by name. A folder without a readable `case.toml` stops the collection."""
    folders = sorted(path for path in CASES.glob("*/*") if path.is_dir())
    return [
        Case(folder=folder, file=CaseFile.model_validate(tomllib.loads((folder / "case.toml").read_text())))
        for folder in folders
    ]
