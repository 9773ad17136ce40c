"""A run's network against squid in a container, in one go: the same client and server, plain loopback beside them."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from statistics import median, quantiles

from benchmarks.measure import Finding, Samples, call
from benchmarks.place import AUTHOR, Place
from runner.egress.addresses import Address
from runner.egress.dial import dial_tcp
from runner.egress.outside import Outside
from runner.egress.resolver import FixedResolver
from runner.model.task import Task
from runner.run.execute import run_task
from runner.run.host import Host
from runner.sandbox.build_context import content_digest, read_context
from runner.sandbox.docker_engine import DockerEngine
from runner.settings import load_settings

FOLDER = Path(__file__).parent
NAME, PORT = "server.test", 9000
LOOPBACK = ip_address("127.0.0.1")
PUBLIC = "198.41.0.4"
"""What the name resolves to: no packet goes there, the server on loopback is dialled instead."""
LABEL = "paddock.role=benchmark"
LIMITS = ("--cpus", "2", "--memory", "4g", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
"""A sandbox has these too."""
POLICY = f'extends = "offline"\n[network]\nmode = "allow"\nallow = ["{NAME}:{PORT}"]\nupload_limit = "1GiB"\n'
WORK = {"one tunnel": 1.0, "64 tunnels, small requests": 1.0, "small requests, a tunnel each": 1.0}
"""What is done, and its target: the time it takes, as a multiple of squid's."""


@dataclass(frozen=True)
class Stage:
    """A place with a server on loopback, and runs that find it at `server.test:9000`."""

    place: Place
    port: int
    host: Host

    @property
    def outside(self) -> Outside:
        """The gateway's view: one name."""
        return Outside(resolver=FixedResolver({NAME: [PUBLIC]}), dial=self.dial)

    async def dial(self, _address: Address, _port: int) -> socket.socket:
        """A `Dial` that knows the server on loopback alone."""
        return await dial_tcp(LOOPBACK, self.port)

    def run(self, *command: str, policy: str = POLICY) -> str:
        """What an agent printed."""
        file = self.place.folder / "stage.toml"
        file.write_text(policy)
        task = Task(repo=str(self.place.repository), argv=command, policy=str(file))
        result = run_task(task, replace(self.host, outside=self.outside))
        printed = Path(result.paths["log"]).read_text()
        if result.agent_exit_code != 0:
            raise SystemExit(f"{result.outcome}: {result.reason}\n{printed}")
        return printed


@contextmanager
def open_stage(place: Place) -> Iterator[Stage]:
    """A server, and the client in the repository."""
    shutil.copy(FOLDER / "traffic.py", place.repository)
    call("git", "-C", place.repository, "add", ".")
    call("git", "-C", place.repository, *AUTHOR, "commit", "--quiet", "--allow-empty", "--message", "The client")
    settings = load_settings(state_dir=Path(place.environment["PADDOCK_STATE_DIR"]))
    engine = DockerEngine(settings.engine, state_dir=settings.state_dir, progress=print)
    argv = [sys.executable, str(FOLDER / "answering.py"), "127.0.0.1", "0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(server.stdout.readline()) if server.stdout else 0
            yield Stage(place, port, Host(settings=settings, engine=engine, home=place.folder))
        finally:
            server.terminate()


class Squid:
    """Client, squid and server in a container each, on an internal network; removed when the scope ends."""

    def __init__(self, place: Place, image: str) -> None:
        self._place = place
        self._image = image
        self._network = f"paddock-bench-{secrets.token_hex(4)}"

    def __enter__(self) -> Squid:
        self._undo = ExitStack()
        self._docker("network", "create", "--internal", "--label", LABEL, self._network)
        self._undo.callback(self._docker, "network", "rm", self._network)
        self._start("server", self._image, "python3", "-S", "/bench/answering.py", "0.0.0.0", str(PORT))  # noqa: S104 - of a container
        self._start("squid", self._built())
        call("docker", *self._client("sh", "-c", "until curl -s squid:3128; do sleep 0.1; done"))
        return self

    def __exit__(self, *_exception: object) -> None:
        self._undo.close()

    def measure(self, *amounts: str) -> list[float]:
        """The client's seconds."""
        command = ("python3", "-S", "/bench/traffic.py", "server", str(PORT), *amounts, "squid", "3128")
        seconds: list[float] = json.loads(self._docker(*self._client(*command)))
        return seconds

    def _client(self, *command: str) -> tuple[str, ...]:
        mount = ("--volume", f"{FOLDER}:/bench:ro", "--label", LABEL)
        return ("run", "--rm", "--network", self._network, *LIMITS, *mount, self._image, *command)

    def _start(self, alias: str, image: str, *command: str) -> None:
        options = ("--network", self._network, "--network-alias", alias, "--volume", f"{FOLDER}:/bench:ro")
        started = self._docker("run", "--detach", *options, "--label", LABEL, image, *command).strip()
        self._undo.callback(self._docker, "rm", "--force", started)

    def _built(self) -> str:
        """Debian's squid, built once for each base and recipe, on what the base image stands on."""
        base = self._docker("inspect", "--format", '{{index .Config.Labels "paddock.base"}}', self._image).strip()
        tag = f"paddock-bench/squid:{content_digest(read_context(FOLDER / 'squid', ()), base)}"
        if not self._docker("images", "--quiet", tag).strip():
            self._docker("build", "--build-arg", f"BASE={base}", "--label", LABEL, "--tag", tag, str(FOLDER / "squid"))
        return tag

    def _docker(self, *words: str) -> str:
        return call("docker", *words, environment=self._place.environment)


def measure_tunnels(place: Place, rounds: int) -> list[Finding]:
    """Three ratios to squid; those to plain loopback are in the detail."""
    amounts = (str(256 * 2**20), "2000")
    taken: dict[str, list[list[float]]] = {"paddock": [], "squid": [], "loopback": []}
    with open_stage(place) as stage, Squid(place, stage.host.engine.image("").ref.name) as squid:
        client = [sys.executable, "-S", str(FOLDER / "traffic.py"), "127.0.0.1", str(stage.port), *amounts]
        things: dict[str, Callable[[], list[float]]] = {
            "paddock": lambda: json.loads(stage.run("python3", "-S", "traffic.py", NAME, str(PORT), *amounts)),
            "squid": lambda: squid.measure(*amounts),
            "loopback": lambda: json.loads(call(*client)),
        }
        for number in range(rounds + 1):
            # Forwards, then backwards: neither of them is always the one that comes after the other.
            for name in list(things)[:: 1 if number % 2 else -1]:
                seconds = things[name]()
                taken[name] += [seconds] if number else []
    return [_finding(work, index, taken) for index, work in enumerate(WORK)]


def _finding(work: str, index: int, taken: dict[str, list[list[float]]]) -> Finding:
    paddock, squid, plain = (Samples([seconds[index] for seconds in rounds]) for rounds in taken.values())
    # Round by round: what else the machine does changes within a minute, and both are that near to each other.
    ratios = [ours / theirs for ours, theirs in zip(paddock.seconds, squid.seconds, strict=True)]
    low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else (*ratios, 0.0, *ratios)
    return Finding(
        name=f"{work}: Paddock / squid",
        value=median(ratios),
        target=WORK[work],
        detail=f"({low:.2f}-{high:.2f}) {paddock} / {squid}; to plain loopback {paddock.median / plain.median:.1f}",
    )
