"""The same batch in the Docker environments of SWE-ReX and of mini-swe-agent, which come from PyPI."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.batch import JOBS, LIMITS, REPOSITORIES, TASKS, WORK, prepare_batch
from benchmarks.measure import Finding, call, interleave, ratio
from benchmarks.one_run import LABEL
from benchmarks.place import Place
from runner.sandbox.build_context import content_digest, read_context

FOLDER = Path(__file__).parent / "peers"
LOCAL = {"host_binding_ipv4": "127.0.0.1", "enable_ip_masquerade": "false", "enable_icc": "false"}
"""Of the network of SWE-ReX's containers: it publishes a port of each, and here only this machine may reach it."""


@dataclass(frozen=True)
class Peer:
    """One of them, and where it works."""

    name: str
    place: Place
    python: Path
    image: str
    network: str
    label: str
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self) -> None:
        """All tasks, once, until its containers are gone."""
        options = ("--network", self.network, "--label", self.label, "--user", f"{os.getuid()}:{os.getgid()}", *LIMITS)
        load = {
            "peer": self.name,
            "folder": str(self.place.folder),
            "image": self.image,
            "number": next(self.numbers),
            "tasks": TASKS,
            "repositories": REPOSITORIES,
            "jobs": JOBS,
            "work": WORK,
            "options": options,
        }
        call(self.python, FOLDER / "carry.py", json.dumps(load), environment=self.place.environment)
        while docker(self.place, "ps", "--quiet", "--filter", f"label={self.label}"):
            time.sleep(0.05)


def measure_peers(place: Place, rounds: int) -> list[Finding]:
    """A finding for each."""
    batch = prepare_batch(place)
    python, image = installed_peers(place), image_of_peers(place, batch.image)
    label = f"{LABEL}-{secrets.token_hex(4)}"
    with local_network(place) as network:
        networks = {"swe-rex": network, "mini-swe-agent": "none"}
        peers = {name: Peer(name, place, python, image, of, label) for name, of in networks.items()}
        taken = interleave({"paddock": batch, **peers}, rounds)
    # Faster is what was asked for: less than their time.
    return [ratio(f"the same tasks: Paddock / {name}", taken["paddock"], taken[name], 1) for name in peers]


def installed_peers(place: Place) -> Path:
    """A Python of their own that has them."""
    folder = place.folder / "peers"
    call(sys.executable, "-m", "venv", folder)
    options = ("--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes")
    call(folder / "bin/pip", "install", *options, "-r", FOLDER / "requirements.lock")
    return folder / "bin/python"


def image_of_peers(place: Place, base: str) -> str:
    """The image of Paddock's own side, with the server that SWE-ReX talks to; built once."""
    tag = f"paddock-bench/peers:{content_digest(read_context(FOLDER, ()), base)}"
    if not docker(place, "images", "--quiet", tag):
        docker(place, "build", "--build-arg", f"BASE={base}", "--label", LABEL, "--tag", tag, str(FOLDER))
    return tag


@contextmanager
def local_network(place: Place) -> Iterator[str]:
    """A bridge whose published ports are open on loopback alone, and that leads nowhere."""
    name = f"paddock-bench-{secrets.token_hex(4)}"
    options = [f"--opt=com.docker.network.bridge.{key}={value}" for key, value in LOCAL.items()]
    docker(place, "network", "create", *options, "--label", LABEL, name)
    try:
        yield name
    finally:
        docker(place, "network", "rm", name)


def docker(place: Place, *words: str) -> str:
    """What it prints."""
    return call("docker", *words, environment=place.environment).strip()
