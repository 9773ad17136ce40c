"""Run directories: where everything of one run stands, and the evidence that it leaves (DESIGN 8)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import StoreError
from runner.store.files import append_line, read_bounded, write_whole
from runner.store.run_id import new_run_id

if TYPE_CHECKING:  # pydantic takes a quarter of a second to load, and `paddock ps` needs paths alone
    from runner.model.events import Event
    from runner.model.result import RunResult

MAX_RESULT = 64 * 1024 * 1024
_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class RunPaths:
    """The names of all files of one run. Nothing is looked up: a name says nothing about whether the file is there."""

    directory: Path

    @property
    def id(self) -> str:
        """The run's id, which is the directory's name."""
        return self.directory.name

    @property
    def task(self) -> Path:
        """What was asked for."""
        return self.directory / "task.json"

    @property
    def policy(self) -> Path:
        """The effective policy."""
        return self.directory / "policy.json"

    @property
    def policy_files(self) -> Path:
        """The files that it came from, with their digests."""
        return self.directory / "policy_files.json"

    @property
    def spec(self) -> Path:
        """What the sandbox was given."""
        return self.directory / "spec.json"

    @property
    def events(self) -> Path:
        """What happened, one JSON object a line."""
        return self.directory / "events.jsonl"

    @property
    def agent_log(self) -> Path:
        """What the agent printed, secrets masked."""
        return self.directory / "agent.log"

    @property
    def check_log(self) -> Path:
        """What the check printed."""
        return self.directory / "check.log"

    @property
    def egress(self) -> Path:
        """Every decision of the gateway, one JSON object a line."""
        return self.directory / "egress.jsonl"

    @property
    def given_rules(self) -> Path:
        """The rules of the policy that an observed run was given; what it enforced is in `policy`."""
        return self.directory / "given_rules.json"

    @property
    def bundle(self) -> Path:
        """The agent's commits, as the collector packed them."""
        return self.directory / "changes.bundle"

    @property
    def diff(self) -> Path:
        """The whole change as a patch."""
        return self.directory / "diff.patch"

    @property
    def artifacts(self) -> Path:
        """Files that are handed over beside the commits, under the names that they had in the repository."""
        return self.directory / "artifacts"

    @property
    def record(self) -> Path:
        """What the run was given and what came out, with the digests of the other files."""
        return self.directory / "record.json"

    @property
    def signature(self) -> Path:
        """The user's signature of the record."""
        return self.directory / "record.json.sig"

    @property
    def result(self) -> Path:
        """How it ended; written last, so that its presence says that the run is over."""
        return self.directory / "result.json"

    @property
    def workspace(self) -> Path:
        """The agent's repository. Whatever is in there was written by the agent."""
        return self.directory / "workspace"

    @property
    def collector_out(self) -> Path:
        """Where the collector writes; the agent never sees it."""
        return self.directory / "out"

    @property
    def collector_in(self) -> Path:
        """What the collector is asked to do, and what it needs for that."""
        return self.directory / "in"

    @property
    def index_copy(self) -> Path:
        """The workspace's index as it was before the agent began."""
        return self.collector_in / "base.index"

    @property
    def recovery(self) -> Path:
        """What the collector needs to know: there as long as there is work to collect."""
        return self.collector_in / "recovery.json"

    @property
    def began(self) -> Path:
        """When the agent began; there as long as there is work to collect."""
        return self.collector_in / "began.json"

    @property
    def used(self) -> Path:
        """What was used of the network and of models so far; there as long as there is work to collect."""
        return self.collector_in / "used.json"

    @property
    def log_before(self) -> Path:
        """What an earlier Paddock kept of the agent's output, while another one writes it down anew."""
        return self.directory / "agent.log.before"

    @property
    def ended(self) -> Path:
        """How the agent ended; there as long as there is work to collect."""
        return self.collector_in / "ended.json"

    @property
    def collected(self) -> Path:
        """What came out; gone when the run is over."""
        return self.directory / "collected.json"

    @property
    def discarded(self) -> Path:
        """The workspace while it is being removed."""
        return self.directory / "workspace.removed"

    @property
    def quarantine(self) -> Path:
        """The bare repository in which the gates look at what came out."""
        return self.directory / "quarantine.git"

    @property
    def etc(self) -> Path:
        """passwd, group, hosts and resolv.conf of the sandbox."""
        return self.directory / "etc"

    @property
    def console(self) -> Path:
        """What a Paddock in the background had to say that is in no other file."""
        return self.directory / "console.log"

    @property
    def following(self) -> Path:
        """The id of the run that went on with this one in its rounds; empty while that is open, missing if none did."""
        return self.directory / "following"

    @property
    def given(self) -> Path:
        """What the agent is given to read: its prompt, what it may do, its settings."""
        return self.directory / "given"

    @property
    def context(self) -> Path:
        """Copies of the files and folders that the user gave along; the agent can read them."""
        return self.directory / "context"

    @property
    def beside(self) -> Path:
        """Clones of other repositories that the agent can read."""
        return self.directory / "beside"

    @property
    def agent(self) -> Path:
        """What the agent keeps of its own, for a run that goes on with this one. Whatever is there, it wrote."""
        return self.directory / "agent"

    @property
    def activity(self) -> Path:
        """What the agent said that it did, one JSON object a line."""
        return self.directory / "activity.jsonl"

    @property
    def transcript(self) -> Path:
        """The same, to be read by a person."""
        return self.directory / "transcript.md"

    @property
    def answer(self) -> Path:
        """The agent's last words."""
        return self.directory / "answer.md"

    @property
    def lent(self) -> Path:
        """How large what the agent may write to, and outlives the run, was before; gone when the run is over."""
        return self.directory / "lent.json"

    @property
    def control(self) -> Path:
        """Sockets between the host and the sandbox."""
        return self.directory / "control"


def keeps_work(paths: RunPaths) -> bool:
    """Whether a workspace is there that holds, or may hold, the only copy of work."""
    return paths.recovery.exists() and paths.workspace.exists()


class EventLog:
    """Appends events to a file, one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: Event) -> None:
        """Adds one event; raises StoreError."""
        append_line(self._path, event.model_dump_json())


def runs_directory(state_dir: Path) -> Path:
    """Where the directories of all runs are."""
    return state_dir / "runs"


def run_paths(state_dir: Path, run_id: str) -> RunPaths:
    """The paths of the run with that id, whether it exists or not."""
    return RunPaths(runs_directory(state_dir) / run_id)


def create_run(state_dir: Path, slug: str, today: date, random: Callable[[int], int] = secrets.randbelow) -> RunPaths:
    """Makes the directory (0700) of a new run, under an id that no other run has or gets. Raises StoreError."""
    try:
        for folder in (state_dir, runs_directory(state_dir)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for _ in range(_ATTEMPTS):
            paths = run_paths(state_dir, new_run_id(slug, today, random))
            try:
                paths.directory.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return paths
    except OSError as error:
        raise StoreError(
            f"cannot make a run directory below {state_dir}: {error.strerror}",
            hint="choose another place with PADDOCK_STATE_DIR",
        ) from error
    raise StoreError(
        f"no free run id was found below {runs_directory(state_dir)}", hint="remove old runs: paddock prune"
    )


def write_result(paths: RunPaths, result: RunResult) -> None:
    """Writes the result document, whole and safe from a power cut: it comes last. Raises StoreError."""
    write_whole(paths.result, result.model_dump_json(indent=2) + "\n", durable=True)


def read_result(paths: RunPaths) -> RunResult:
    """The result document; raises StoreError when there is none (yet) or it cannot be read."""
    from runner.model.result import RunResult

    content = read_bounded(paths.result, MAX_RESULT)
    try:
        return RunResult.model_validate_json(content)
    except ValueError as error:
        raise StoreError(
            f"{paths.result} is not a result that this version reads: {error}",
            hint="a newer Paddock may have written it",
        ) from error
