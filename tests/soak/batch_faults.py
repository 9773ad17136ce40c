"""A batch whose process, containers and engine are killed again and again, and what has to be true of it in the end."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from docker import APIClient
from docker.errors import DockerException

from runner.errors import StoreError
from runner.store.batches import DONE, ENDED, AttemptRow, Batches
from runner.store.ledger import LEDGER_NAME
from tests.integration.cli import Paddock, outside_of_paddock
from tests.integration.private_engine import PrivateEngine
from tests.unit.repo.sources import make_repository

JOBS = 8
SECONDS = 300
"""How long a batch may go without one more task that is done."""
SCRIPT = (
    'echo "$PADDOCK_RUN began" >> "/seen/$TASK"; sleep {seconds}; echo x > "$TASK"; git add .; git commit -qm "$TASK"; '
    'echo "$PADDOCK_RUN done" >> "/seen/$TASK"; sleep 0.1'
)
POLICY = """
[limits]
cpus = 0.5
memory = "128MiB"
[[mounts]]
source = "{seen}"
target = "/seen"
mode = "rw"
"""


@dataclass
class Siege:
    """One batch of many small tasks under random faults. The seed decides all but their timing."""

    paddock: Paddock
    engine: PrivateEngine
    tasks: int
    repositories: int
    seed: int
    told: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    hit: set[tuple[str, int]] = field(default_factory=set)
    """Roles and tasks of containers that were killed."""

    def __post_init__(self) -> None:
        self.dice = Random(self.seed)  # noqa: S311 - a siege is repeated by its seed
        self.begun = time.monotonic()
        self.places = [self.folder / f"repo-{number}" for number in range(self.repositories)]
        self.before = [outside_of_paddock(make_repository(place)) for place in self.places]
        self.seen.mkdir()
        self.seen.chmod(0o777)
        (self.folder / "tmp").mkdir()
        self.paddock.variables |= {"PADDOCK_ENGINE": self.engine.address, "TMPDIR": str(self.folder / "tmp")}
        (self.folder / "small.toml").write_text(POLICY.format(seen=self.seen))
        head = f'[defaults]\npolicy = "small.toml"\n[machine]\ncpus = {JOBS / 2}\n'
        self.file.write_text(head + "".join(self._task(number) for number in range(self.tasks)))

    def _task(self, number: int) -> str:
        script = SCRIPT.format(seconds=round(self.dice.uniform(0, 0.5), 2))
        env = f'env = {{ TASK = "task-{number}" }}\n'
        command = f"command = {json.dumps(['sh', '-c', script])}\n"
        return f'[[tasks]]\nname = "task-{number}"\nrepo = "repo-{number % self.repositories}"\n{env}{command}'

    @property
    def folder(self) -> Path:
        """Where all of it is."""
        return self.paddock.folder

    @property
    def seen(self) -> Path:
        """Where every agent leaves a mark that Paddock itself cannot make up."""
        return self.folder / "seen"

    @property
    def file(self) -> Path:
        """The batch file."""
        return self.folder / "tasks.toml"

    @property
    def ledger(self) -> Path:
        """The file with all that Paddock knows."""
        return self.paddock.state / LEDGER_NAME

    # --- the siege

    def carry_on(self) -> None:
        """Carry the batch out, until it has ended; every fault has its time when so many tasks are done."""
        due = list(faults(self.dice, self.tasks))
        last, moved = 0, time.monotonic()
        while True:
            code = self._ended()
            if code is not None:
                if self._is_over():
                    break
                self.tell(f"the process has ended: {code}")
                self.process = None
            if self.process is None:
                self._begin()
            done = self._done()
            if done > last:
                last, moved = done, time.monotonic()
            assert time.monotonic() - moved < SECONDS, f"nothing gets on; {done} are done\n{self._said()}"
            if due and done >= due[0][0]:
                self._befall(due.pop(0)[1])
            time.sleep(0.05)
        self.tell("done")

    def tell(self, text: str) -> None:
        """For whoever has to understand a failure."""
        self.told.append(f"{time.monotonic() - self.begun:6.1f} s  {text}")

    def end(self) -> None:
        """End the process, whatever happened."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _begin(self) -> None:
        """A process that begins the batch, or goes on with it."""
        argv = ("resume", "last") if self.attempts() else ("run", str(self.file), "--jobs", str(JOBS))
        with (self.folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                [self.paddock.python, "-m", self.paddock.module, "batch", *argv],
                cwd=self.folder,
                env=self.paddock.environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )
        self.tell(f"batch {argv[0]}")

    def _ended(self) -> int | None:
        return self.process.poll() if self.process is not None else None

    def _said(self) -> str:
        return "\n".join([*self.told, (self.folder / "said").read_text()[-6000:]])

    def _is_over(self) -> bool:
        with suppress(StoreError), Batches(self.ledger) as batches:
            return any(row.state == ENDED for row in batches.list(1))
        return False

    def _done(self) -> int:
        return sum(row.state == DONE for row in self.attempts())

    def attempts(self) -> list[AttemptRow]:
        """Every attempt of the batch."""
        with suppress(StoreError), Batches(self.ledger) as batches:
            for row in batches.list(1):
                return list(batches.attempts(row.id))
        return []

    def _befall(self, what: str) -> None:
        if what == "process":
            time.sleep(self.dice.uniform(0, 1.5))
            self.end()
        elif what in {"sandbox", "collector"}:
            what = self._kill_one(what)
        else:
            if what.endswith("and process"):
                self.end()
            self.engine.stop(signal.SIGTERM if what.startswith("restart") else signal.SIGKILL)
            time.sleep(self.dice.uniform(0, 2))
            self.engine.start()
        self.tell(what)

    def _kill_one(self, role: str) -> str:
        """`docker kill` of one container of that role, as soon as there is one."""
        end = time.monotonic() + 3
        client = APIClient(base_url=self.engine.address, version="auto", timeout=30)
        try:
            while time.monotonic() < end and self._ended() is None:
                found = self._not_yet_hit(role, client.containers(filters={"label": f"paddock.role={role}"}))
                if found:
                    chosen = self.dice.choice(found)
                    self.hit.add((role, self._task_of(chosen)))
                    client.kill(chosen["Id"])
                    return f"kill {chosen['Names'][0]}"
                time.sleep(0.02)
        except DockerException as error:  # it has just ended
            return f"kill a {role}: {error}"
        finally:
            client.close()
        return f"no {role} to kill"

    def _not_yet_hit(self, role: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Containers of tasks that no kill has met: one that fails with the engine four times is given up, rightly."""
        return [each for each in found if (role, self._task_of(each)) not in self.hit]

    def _task_of(self, container: dict[str, Any]) -> int:
        """The task of a container's run; -1 for none that is known yet."""
        run = container["Labels"].get("paddock.run")
        return next((row.task for row in self.attempts() if row.run == run), -1)


def faults(dice: Random, tasks: int) -> Iterator[tuple[int, str]]:
    """What befalls a batch, and how many of its tasks are done before it does."""
    many = {"process": tasks // 6, "sandbox": tasks // 4, "collector": tasks // 8}
    found = [(dice.randrange(tasks - 2), what) for what, times in many.items() for _ in range(times)]
    ends = ["restart", "restart and process", "kill -9 of the engine", "kill -9 of the engine and process"]
    dice.shuffle(ends)
    chosen = [next(end for end in ends if end.startswith(word)) for word in ("restart", "kill")]
    found += [(tasks // 3, chosen[0]), (2 * tasks // 3, chosen[1])]
    yield from sorted(found)
