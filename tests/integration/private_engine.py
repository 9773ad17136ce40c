"""A Docker engine of a test's own, which may be stopped, killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from docker import APIClient
from docker.errors import DockerException

from runner.sandbox.docker_engine import DockerEngine
from runner.sandbox.docker_sdk import sdk
from tests.integration.cli import until

PLACES = "/usr/local/sbin:/usr/sbin:/sbin"
SECONDS = 30
ALONE = ("--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")
"""It is in a network namespace of its own: in the machine's, such an engine would take docker0 away."""


class PrivateEngine:
    """The engine, its containers and its folder. `close` ends every process of it, by its number."""

    def __init__(self) -> None:
        # Short, and outside of any folder of a test: a socket's name may not be longer than 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="engine-"))
        self.address = f"unix://{self.folder}/d.sock"
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self, *flags: str) -> None:
        """Start it, and wait until it answers."""
        for stale in ("pid", "exec/containerd/containerd.pid"):  # a zombie is alive to whoever reads its number there
            (self.folder / stale).unlink(missing_ok=True)
        places = [f"--{name}-root={self.folder / name}" for name in ("data", "exec")]
        argv = ["unshare", "--net", "dockerd", *places, f"--pidfile={self.folder}/pid", f"--host={self.address}"]
        with (self.folder / "log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [*argv, *ALONE, *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={"PATH": f"{os.environ['PATH']}:{PLACES}"},
            )
        until(self._answers)

    def _answers(self) -> bool:
        assert self._daemon is not None
        assert self._daemon.poll() is None, (self.folder / "log").read_text()[-2000:]
        try:
            return self.ask(lambda client: client.ping())
        except DockerException:
            return False

    def ask(self, question: Callable[[APIClient], bool]) -> bool:
        """Ask it something."""
        client = APIClient(base_url=self.address, version="auto", timeout=SECONDS)
        try:
            return question(client)
        finally:
            client.close()

    def containers(self) -> list[str]:
        """The names of all its containers, running or not."""
        names: list[str] = []
        self.ask(lambda client: names.extend(row["Names"][0] for row in client.containers(all=True)) or True)  # type: ignore[func-returns-value]
        return names

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the engine alone; what becomes of its containers is its own business."""
        if self._daemon is not None:
            self._daemon.send_signal(number)
            self._daemon.wait(SECONDS)
            self._daemon = None
            # Its containerd dies with it, a moment later; the next engine would take it for its own.
            until(lambda: not self._processes("containerd --config"))

    def power_off(self) -> None:
        """Everything ends at once, as with the machine: the engine, its containers, its mounts, its folder in /run."""
        self.stop(signal.SIGKILL)
        shims = self._processes("containerd-shim")
        for pid in [*descendants(shims), *shims]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for place in self._mounted():
            subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)
        shutil.rmtree(self.folder / "exec", ignore_errors=True)

    def close(self) -> None:
        """End all of it, and remove its folder."""
        self.power_off()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _processes(self, program: str) -> list[int]:
        """Its processes of a program."""
        return [pid for pid, line in processes() if str(self.folder) in line and program in line]

    def _mounted(self) -> list[str]:
        """What is mounted below the folder, the innermost first."""
        places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        return sorted((place for place in places if place.startswith(f"{self.folder}/")), reverse=True)


def processes() -> Iterator[tuple[int, str]]:
    """Every process of the machine with its command line."""
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            yield int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")


def descendants(pids: list[int]) -> list[int]:
    """The children of processes, and theirs."""
    parents: dict[int, int] = {}
    for pid, _ in processes():
        with suppress(OSError):
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    found, last = [], set(pids)
    while last := {pid for pid, parent in parents.items() if parent in last}:
        found += sorted(last)
    return found


def private_engine(state: Path) -> PrivateEngine:
    """A private engine that runs, and has the base image of the engine that the tests use."""
    if os.geteuid() != 0 or not shutil.which("dockerd", path=f"{os.environ['PATH']}:{PLACES}"):
        pytest.skip("only root can start an engine of its own, with dockerd")
    address = os.environ.get("PADDOCK_ENGINE") or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    shared = DockerEngine(address, state_dir=state, progress=print)
    engine = PrivateEngine()
    try:
        engine.start()
        with sdk(shared.client) as client:
            image = client.get_image(shared.image("").ref.name)
            engine.ask(lambda other: all("error" not in row for row in other.load_image(image)))
    except BaseException:
        engine.close()
        raise
    return engine
