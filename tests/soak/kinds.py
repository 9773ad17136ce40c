"""How a run of the soak goes: the ends that an agent can come to, and the faults that can befall a run."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from docker import APIClient
from docker.errors import APIError

from runner.model.result import Outcome
from runner.model.task import Task
from runner.run.execute import run_task
from runner.run.host import Host
from runner.sandbox.docker_engine import DockerEngine
from runner.settings import load_settings
from runner.store.ledger import LEDGER_NAME, Ledger
from tests.conftest import connect
from tests.integration.cli import WORK, Paddock

SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where the runs of one soak are."""

    paddock: Paddock
    repository: Path
    client: APIClient
    policies: Path

    def policy(self, text: str, name: str) -> Path:
        """A policy file that extends the default one."""
        path = self.policies / f"{name}.toml"
        path.write_text(f'extends = "offline"\n{text}\n')
        path.chmod(0o644)
        return path


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One run to be: its number and its own dice."""

    number: int
    dice: Random
    ground: Ground

    @property
    def name(self) -> str:
        """The run's name."""
        return f"soak-{self.number}"


@dataclass(frozen=True, kw_only=True)
class End:
    """An end that an agent comes to by itself, or at a limit."""

    script: str
    outcome: Outcome
    policy: str = ""


ENDS = {
    "success": End(script="exit 0", outcome=Outcome.COMPLETED),
    "failure": End(script="exit 7", outcome=Outcome.AGENT_FAILED),
    "daemon": End(script="setsid sleep 300 & (setsid sleep 300 &) ; exit 0", outcome=Outcome.COMPLETED),
    "time-out": End(
        script="while :; do echo .; sleep 0.2; done",
        outcome=Outcome.TIMED_OUT,
        policy='[limits]\nwall_clock = "1500ms"',
    ),
    "stubborn": End(
        script="trap '' TERM; while :; do sleep 1; done",
        outcome=Outcome.IDLE,
        policy='[limits]\nidle = "1s"\ngrace = "1s"',
    ),
    "flood": End(script="exec yes", outcome=Outcome.OUTPUT_EXCEEDED, policy='[limits]\noutput = "1MiB"'),
    "disk": End(
        script="exec 9>hidden; rm hidden; cat /dev/urandom >&9 & cat /dev/zero | head -c 20M > big; exec sleep 60",
        outcome=Outcome.DISK_EXCEEDED,
        policy='[limits]\ndisk = "16MiB"',
    ),
    "files": End(
        script="mkdir many; seq -f many/%g 1 2000 | xargs touch; exec sleep 60",
        outcome=Outcome.DISK_EXCEEDED,
        policy="[limits]\nfiles = 500",
    ),
    "memory": End(
        script="exec python3 -c 'b = bytearray(600 * 2**20)'",
        outcome=Outcome.OUT_OF_MEMORY,
        policy='[limits]\nmemory = "64MiB"',
    ),
    "network": End(
        script="python3 -c 'import socket; socket.create_connection((\"denied.test\", 443))'",
        outcome=Outcome.AGENT_FAILED,
        policy='[network]\nmode = "allow"\nallow = ["allowed.test"]',
    ),
}


def as_library(turn: Turn, end: str) -> str:
    """A run within this process, which goes on living: its end has to be the one that is meant."""
    ground, case = turn.ground, ENDS[end]
    state = ground.paddock.state
    engine = DockerEngine(load_settings().engine, state_dir=state, progress=lambda _: None)
    host = Host(settings=load_settings(state_dir=state), engine=engine, home=ground.paddock.folder)
    policy = str(ground.policy(case.policy, turn.name)) if case.policy else "offline"
    task = Task(repo=str(ground.repository), argv=("sh", "-c", f"{WORK}\n{case.script}"), policy=policy, name=turn.name)
    result = run_task(task, host)
    assert result.outcome is case.outcome, f"{end}: {result.outcome.value}: {result.reason}"
    assert result.leaks == (), result.leaks
    assert result.branch, f"{end}: its work did not come out"
    return result.outcome.value


def under_fault(turn: Turn, befall: Callable[[Turn, subprocess.Popen[str]], str]) -> str:
    """A run of its own process that works for some seconds, and what befalls it; how the process ended."""
    script = f"{WORK}; echo ready; sleep 3"
    process = turn.ground.paddock.popen(
        "run", turn.ground.repository, "--json", "--name", turn.name, "--", "sh", "-c", script
    )
    try:
        told = befall(turn, process)
        out, err = process.communicate(timeout=SECONDS)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert "Traceback" not in err, err
    outcome = json.loads(out)["outcome"] if out.strip() else f"exit code {process.returncode}"
    return f"{told}: {outcome}"


def interrupted(turn: Turn, process: subprocess.Popen[str]) -> str:
    """Ctrl-C or its like, once or twice, at any time."""
    name = turn.dice.choice(["SIGINT", "SIGTERM", "SIGHUP"])
    times = turn.dice.choice([1, 1, 2])
    seconds = wait_a_little(turn)
    for _ in range(times):
        process.send_signal(getattr(signal, name))
        time.sleep(0.05)
    return f"{name} x{times} after {seconds} s"


def killed(turn: Turn, process: subprocess.Popen[str]) -> str:
    """kill -9 of Paddock, at any time."""
    seconds = wait_a_little(turn)
    process.kill()
    return f"SIGKILL after {seconds} s"


def robbed(turn: Turn, process: subprocess.Popen[str]) -> str:
    """Somebody else kills or removes a container of the run."""
    how, client = turn.dice.choice(["kill", "rm -f"]), connect()
    seconds = wait_a_little(turn)
    found = client.containers(filters={"label": f"paddock.run={run_of(turn)}"})
    for row in turn.dice.sample(found, min(1, len(found))):
        with suppress(APIError):  # it has just ended
            client.kill(row["Id"]) if how == "kill" else client.remove_container(row["Id"], force=True)
    client.close()
    return f"docker {how} of {len(found[:1])} after {seconds} s"


FAULTS: dict[str, Callable[[Turn, subprocess.Popen[str]], str]] = {
    "interrupted": interrupted,
    "killed": killed,
    "robbed": robbed,
}
KINDS = (*ENDS, *FAULTS, *FAULTS)
"""Faults come twice as often as any one end."""


def play(turn: Turn, kind: str) -> str:
    """One run; how it ended. Raises AssertionError when it should have ended in another way."""
    return as_library(turn, kind) if kind in ENDS else under_fault(turn, FAULTS[kind])


def wait_a_little(turn: Turn) -> float:
    """Some time within the life of a run."""
    seconds = round(turn.dice.uniform(0, 4), 2)
    time.sleep(seconds)
    return seconds


def run_of(turn: Turn) -> str:
    """The id of the run of that name, if there is one yet."""
    with Ledger(turn.ground.paddock.state / LEDGER_NAME) as ledger:
        return next((row.id for row in ledger.list() if row.name == turn.name), "none")
