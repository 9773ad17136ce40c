"""Attacks on the network: a made-up internet that answers at every address, and what was seen of a run outside."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import re
import runpy
import socket
import ssl
import subprocess
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from docker import APIClient

from runner.egress.addresses import Address
from runner.egress.order import GatewayLimits, GatewayOrder
from runner.egress.outside import Outside
from runner.model.destinations import TLS_PORT
from runner.run.host import Host
from tests.hostile.case import INSIDE, WORLDS, Case, OnTheNetwork
from tests.hostile.key_stage import HANDED, KEY, SECRET, KeyMaker, injected_hosts, told_by_engine
from tests.hostile.open_setup import LABEL, sort_lines
from tests.hostile.real_run import Attempt, Trial, try_it
from tests.hostile.stage import Stage

OWN = frozenset(map(ipaddress.ip_address, ("198.41.0.99", "172.17.0.1")))
"""What the gateway takes for this host's own addresses: a public one, and that of a bridge."""
ORDINARY_ENDS = {"", "closed", "client-gone", "server-gone"}
_CANARY = re.compile(r"paddock-canary-[0-9a-f]{16}\.invalid")
_OPEN = runpy.run_path(str(INSIDE / "open_internet.py"))
PUBLIC: str = _OPEN["PUBLIC"]
GOODS: bytes = _OPEN["GOODS"]
"""What attackers carry out."""
IMPATIENT = GatewayLimits(opening=1.0, sweep=0.2)
"""The gateway's limits in the world `slow`, so that nobody has to wait for them."""
CONTROL_SECONDS = 120.0


class WorldResolver:
    """Knows every name; some have the addresses that a case says, and other ones at every turn."""

    def __init__(self, cases: Iterable[OnTheNetwork]) -> None:
        self.names: dict[str, tuple[str, ...]] = {}
        self.turns: dict[str, list[tuple[str, ...]]] = {}
        for case in cases:
            self.names |= case.names
            self.turns |= {name: list(turns) for name, turns in case.turns.items()}
        self.asked: list[str] = []

    async def resolve(self, name: str) -> list[Address]:
        """See `Resolver.resolve`."""
        self.asked.append(name)
        texts = self.turns[name].pop(0) if self.turns.get(name) else self.names.get(name, (PUBLIC,))
        return [ipaddress.ip_address(text) for text in texts]


class MadeUpInternet:
    """Whatever a gateway dials is answered, by one server on loopback that remembers every byte."""

    def __init__(self, cases: Iterable[OnTheNetwork] = (), tls: ssl.SSLContext | None = None) -> None:
        self.resolver = WorldResolver(cases := tuple(cases))
        self._tls = tls
        """Spoken on port 443 where keys are injected; elsewhere no server has to understand what it hears."""
        self._plain = {address for case in cases for address in case.plain}
        self.when_heard: Callable[[bytes], None] = lambda _: None
        self._dialled: list[tuple[str, int]] = []
        """Destination, and the local port by which the server knows it."""
        self._heard: dict[int, bytes] = defaultdict(bytes)
        self._servers = [socket.create_server(("127.0.0.1", 0), backlog=4096) for _ in range(2)]
        """One for plain bytes, and one for TLS."""
        self._clients: list[threading.Thread] = []

    def outside(self) -> Outside:
        """The gateway's view of it."""
        return Outside(resolver=self.resolver, dial=self.dial, own=lambda: OWN)

    async def dial(self, address: Address, port: int) -> socket.socket:
        """A `Dial` that goes to the one server, wherever it was meant to go."""
        upstream = socket.socket()
        upstream.setblocking(False)
        secure = self._tls is not None and port == TLS_PORT and str(address) not in self._plain
        await asyncio.get_running_loop().sock_connect(upstream, self._servers[secure].getsockname())
        self._dialled.append((f"{address}:{port}", upstream.getsockname()[1]))
        return upstream

    def heard(self) -> dict[str, bytes]:
        """Every address and port that was dialled, with all that was said there."""
        found: dict[str, bytes] = {}
        for place, port in self._dialled:
            found[place] = found.get(place, b"") + self._heard[port]
        return found

    @contextmanager
    def open(self) -> Iterator[MadeUpInternet]:
        """Serve."""
        pairs = zip(self._servers, (None, self._tls), strict=True)
        accepting = [threading.Thread(target=self._accept, args=pair, daemon=True) for pair in pairs]
        for thread in accepting:
            thread.start()
        try:
            yield self
        finally:
            for server in self._servers:
                with suppress(OSError):
                    server.shutdown(socket.SHUT_RDWR)
            for thread in (*accepting, *self._clients):
                thread.join(5)
            for server in self._servers:
                server.close()

    def _accept(self, server: socket.socket, tls: ssl.SSLContext | None) -> None:
        with suppress(OSError):
            while True:
                client, (_, port) = server.accept()
                thread = threading.Thread(target=self._serve, args=(client, port, tls), daemon=True)
                self._clients.append(thread)
                thread.start()

    def _serve(self, plain: socket.socket, port: int, tls: ssl.SSLContext | None) -> None:
        said = b""
        with plain, suppress(OSError), tls.wrap_socket(plain, server_side=True) if tls else plain as client:
            while piece := client.recv(65536):
                self._heard[port] += piece
                said += piece
                if _OPEN["whole"](said):
                    self.when_heard(said)
                    client.sendall(_OPEN["answer"](said))
                    said = b""


@dataclass(kw_only=True)
class Seen:
    """A world's finished run, and what was seen of it outside."""

    trial: Trial
    printed: dict[str, list[str]]
    audit: set[str]
    dialled: set[str]
    resolved: set[str]
    heard: dict[str, bytes] = field(repr=False)
    engine: str = field(default="", repr=False)
    """What the engine told of the sandbox while it ran, where a key is injected."""


def run_world(cases: list[Case], stage: Stage, host: Host, knowledge: Mapping[str, str]) -> Seen:
    """All attacks of one world in one sandbox, under its policy."""
    wanted = [case.file.network for case in cases if case.file.network]
    world = wanted[0].world
    attacks = json.dumps({case.name: case.script.read_text() for case in cases})
    argv = ("python3", "-c", (INSIDE / "network.py").read_text(), attacks)
    hosts, seen_by_engine = injected_hosts(world), dict[str, str]()
    keys = KeyMaker(hosts, stage.place) if hosts else None
    known = {**knowledge, **HANDED.get(world, {}), **({"PLANTED": keys.planted} if keys else {})}
    attempt = Attempt(argv=argv, environment=known, policy=str(WORLDS / f"{world}.toml"))
    with ExitStack() as scope:
        if world == "slow":
            scope.enter_context(impatient())
        internet = scope.enter_context(MadeUpInternet(wanted, keys.context() if keys else None).open())
        if keys:
            host = keys.host(host)
            internet.when_heard = lambda _: ask_engine(host, seen_by_engine)
        trial = try_it(replace(host, outside=internet.outside()), stage.user, attempt)
    heard = internet.heard()
    return Seen(
        trial=trial,
        printed=sort_lines("\n".join(trial.log())),
        audit=audit_lines(trial.paths.egress),
        dialled={f"{place}{told(said)}" for place, said in heard.items()},
        resolved={name if n == 1 else f"{name} x{n}" for name, n in Counter(internet.resolver.asked).items()},
        heard=heard,
        engine=seen_by_engine.get("told", ""),
    )


def ask_engine(host: Host, told: dict[str, str]) -> None:
    """Once, while the sandbox lives."""
    if not told:
        client = APIClient(base_url=host.settings.engine)
        told["told"] = told_by_engine(client, host.settings.state_dir)
        client.close()


@contextmanager
def impatient() -> Iterator[None]:
    """A gateway that waits a second for what it has to see first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runner.run.network.GatewayOrder", partial(GatewayOrder, limits=IMPATIENT))
        yield


def told(said: bytes) -> str:
    """What a server heard, in a word."""
    words = ([" goods"] if GOODS in said else []) + ([" key"] if KEY.encode() in said else [])
    return "".join(words) if said else " silent"


def audit_lines(path: Path) -> set[str]:
    """The different lines of a record, as cases write them; without the self-test's question at the start."""
    found = set()
    for line in path.read_text("ascii").splitlines():
        fields = json.loads(line)
        if _CANARY.fullmatch(fields["name"]):
            continue
        place = json.dumps(fields["name"])[1:-1] + (f":{fields['port']}" if "port" in fields else "")
        ended = fields.get("ended", "")
        words = [fields["kind"], place, fields["verdict"], fields["reason"]]
        found.add(" ".join(filter(None, words)) + ("" if ended in ORDINARY_ENDS else f" ({ended})"))
    return found


def run_open_world(cases: list[Case], image: str, environment: Mapping[str, str], engine: str) -> dict[str, list[str]]:
    """What each attack prints in a container whose loopback is the whole world, with a gateway that obeys."""
    names: dict[str, tuple[str, ...]] = {}
    for case in cases:
        names |= case.file.network.names if case.file.network else {}
    world = cases[0].file.network.world if cases[0].file.network else ""
    variables = {
        **environment,
        **({SECRET: KEY, "PLANTED": ""} if injected_hosts(world) else {}),
        **HANDED.get(world, {}),
        "OPEN": (INSIDE / "open_internet.py").read_text(),
        "NAMES": json.dumps(names),
        "DRIVER": (INSIDE / "network.py").read_text(),
        "ATTACKS": json.dumps({case.name: case.script.read_text() for case in cases}),
    }
    script = (
        'python3 -c "$OPEN" "$NAMES" >/tmp/open & i=0; '
        "until [ -s /tmp/open ]; do sleep 0.05; i=$((i+1)); [ $i -lt 200 ]; done; "
        'exec python3 -c "$DRIVER" "$ATTACKS"'
    )
    options = [
        "--network=none",
        "--dns=127.0.0.1",
        "--user=0",
        "--cap-add=NET_ADMIN",
        "--cap-add=NET_RAW",
        "--sysctl=net.ipv6.conf.all.disable_ipv6=0",
        "--sysctl=net.ipv6.conf.lo.disable_ipv6=0",
        "--tmpfs=/paddock",
        "--ulimit=nofile=8192",
        *(f"--env={name}={value}" for name, value in variables.items()),
    ]
    done = subprocess.run(
        ["docker", "run", "--rm", *LABEL, *options, image, "sh", "-ec", script],
        capture_output=True,
        timeout=CONTROL_SECONDS,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "DOCKER_HOST": f"unix://{engine}"},
    )
    said = sort_lines(done.stdout.decode("utf-8", "backslashreplace"))
    return {case.name: said.get(case.name, [done.stderr.decode("utf-8", "backslashreplace")]) for case in cases}
