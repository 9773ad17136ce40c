"""Policy legs: the attack in a real run, and everything that must hold afterwards, whatever the attack was."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from docker import APIClient
from typer.testing import CliRunner

from runner.cli.app import app
from runner.errors import PaddockError
from runner.model.result import RunResult, Verdict
from runner.model.settings import SecretSource, Settings
from runner.model.task import Task
from runner.run.execute import run_task
from runner.run.host import Host
from runner.sandbox.docker_engine import DockerEngine
from runner.store.runs import RunPaths, run_paths
from tests.unit.repo.sources import fingerprint

NEW_REFS = ".git/refs/heads/paddock"
LOOKING = (("show",), ("show", "--json"), ("diff",), ("logs",), ("ps", "-a"), ("artifacts",), ("verify",))
KEPT = {
    "task.json",
    "policy.json",
    "policy_files.json",
    "spec.json",
    "events.jsonl",
    "agent.log",
    "result.json",
    "record.json",
    "changes.bundle",
    "diff.patch",
}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A finished run, and where it left what."""

    result: RunResult
    paths: RunPaths
    user: Path
    before: dict[str, str]

    def log(self) -> list[str]:
        """What the agent printed."""
        return self.paths.agent_log.read_text("utf-8", "backslashreplace").splitlines()

    def gates(self) -> dict[str, Verdict]:
        """The gates that did not pass."""
        return {gate.name: gate.verdict for gate in self.result.gates if gate.verdict is not Verdict.PASSED}

    def details(self) -> str:
        """What these gates say."""
        return "\n".join(line for gate in self.result.gates for line in gate.detail)

    def diff(self) -> list[str]:
        """The whole change."""
        path = self.paths.diff
        return path.read_text("utf-8", "backslashreplace").splitlines() if path.exists() else []


def real_host(state: Path, home: Path, socket: str) -> Host:
    """This machine, with the real engine."""
    engine = DockerEngine(f"unix://{socket}", state_dir=state, progress=lambda _: None)
    return Host(settings=Settings(state_dir=state, engine=f"unix://{socket}"), engine=engine, home=home)


def with_secret(host: Host, place: Path, spoil: str = "") -> Host:
    """The same host, which keeps a key in a file of its own; `spoil` is done to that file beforehand."""
    file = place / "key"
    file.touch(0o600)
    file.write_text("sk-canary-0123456789abcdef\n")
    subprocess.run(["sh", "-euc", spoil], env={"PATH": os.environ["PATH"], "SECRET": str(file)}, check=True)
    return replace(host, settings=host.settings.model_copy(update={"secrets": {"API_KEY": SecretSource(file=file)}}))


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What the agent of a run is given."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    policy: str = "offline"
    image: str = ""


def try_it(host: Host, user: Path, attempt: Attempt) -> Trial:
    """Carry out the attack as the agent of a real run."""
    before = fingerprint(user)
    task = Task(
        repo=str(user),
        argv=attempt.argv,
        policy=attempt.policy,
        environment=dict(attempt.environment),
        image=attempt.image,
    )
    result = run_task(task, host)
    return Trial(result=result, paths=run_paths(host.settings.state_dir, result.id), user=user, before=before)


def changed_files(before: dict[str, str], user: Path) -> list[str]:
    """What of a user's repository is not as it was, but for new objects and new refs below `refs/heads/paddock/`."""
    after = fingerprint(user)
    lost = [f"gone: {path}" for path in before if path not in after]
    changed = [f"changed: {path}" for path in before if path in after and before[path] != after[path]]
    allowed = (f"{user}/.git/objects/", f"{user}/{NEW_REFS}", f"{user}/.git/logs/refs/heads/paddock")
    folders = {f"{user}/.git/refs", f"{user}/.git/refs/heads", f"{user}/.git/logs/refs/heads"}
    changed = [line for line in changed if line.removeprefix("changed: ") not in folders]
    return [*lost, *changed, *(f"new: {path}" for path in after if path not in before and not path.startswith(allowed))]


def leftovers(trial: Trial, client: APIClient, *, keeps_workspace: bool, network: bool = False) -> list[str]:
    """What the run left behind and should not have: containers, volumes, folders, processes."""
    state = trial.paths.directory.parent.parent
    found = [f"leak: {leak}" for leak in trial.result.leaks]
    chosen = {"label": f"paddock.run={trial.result.id}"}
    found += [f"container: {row['Names']}" for row in client.containers(all=True, filters=chosen)]
    found += [f"volume: {row['Name']}" for row in client.volumes(filters=chosen)["Volumes"] or ()]
    allowed = KEPT | ({"workspace", "in"} if keeps_workspace else set()) | ({"egress.jsonl"} if network else set())
    allowed |= {"artifacts"} if trial.result.artifacts else set()
    found += [f"file: {path.name}" for path in trial.paths.directory.iterdir() if path.name not in allowed]
    if keeps_workspace and not trial.paths.workspace.is_dir():
        found.append("the workspace was to be kept and is gone")
    return found + [f"process: {line}" for line in processes_that_name(state)]


def processes_that_name(state: Path) -> list[str]:
    """Processes of the host, but for this one, that have the state directory on their command line or stand in it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line, place = (folder / "cmdline").read_bytes(), str((folder / "cwd").readlink())
        except OSError:
            continue
        if int(folder.name) != os.getpid() and (os.fsencode(state) in line or place.startswith(str(state))):
            found.append(line.replace(b"\0", b" ").decode("utf-8", "replace"))
    return found


def look_at(run: str) -> dict[str, str]:
    """Every command that looks at a run: what it prints."""
    return {" ".join(words): command(*words, *([run] if words[0] != "ps" else [])) for words in LOOKING}


def command(*words: str) -> str:
    """What `paddock WORDS` prints; a refusal is its message."""
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None and not isinstance(done.exception, PaddockError | SystemExit):
        raise done.exception
    return done.output + (done.exception.message if isinstance(done.exception, PaddockError) else "")


def on_a_terminal(words: tuple[str, ...], state: Path, home: Path) -> str:
    """What `paddock WORDS` prints on a terminal, colours off."""
    ours, theirs = pty.openpty()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PADDOCK_STATE_DIR": str(state),
        "NO_COLOR": "1",
        "TERM": "xterm",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "runner", *words],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    ):
        os.close(theirs)
        seen = b""
        with suppress(OSError):  # a terminal whose other end has gone is an input error, not an end of file
            while piece := os.read(ours, 65536):
                seen += piece
    os.close(ours)
    return seen.decode("utf-8", "backslashreplace")
