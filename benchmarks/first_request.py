"""How long it takes from the command to an agent's first word to its model, beside the same CLI in plain Docker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import trustme

from benchmarks.measure import Finding, Samples, call, users_environment
from benchmarks.model_beside import DONE
from benchmarks.one_run import LABEL
from benchmarks.place import Place
from runner.cli.terminal import say
from runner.sandbox.docker_engine import DockerEngine
from runner.settings import load_settings
from tests.models.server import ModelServer, model_server

TARGET = 1.3
AGENT = "claude"
BESIDE = "paddock-bench-model"
"""The network, and the container in it, of the plain CLI's model."""
CLI = ("claude", "-p", "Say done.", "--dangerously-skip-permissions", "--output-format", "stream-json", "--verbose")
QUIET = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "ANTHROPIC_API_KEY": "x" * 20}
ROOT = Path(__file__).resolve().parents[1]


def measure_first_request(place: Place, rounds: int) -> list[Finding]:
    """One finding; the sizes of the shipped images are printed."""
    settings = load_settings(state_dir=place.folder / "state")
    engine = DockerEngine(settings.engine, state_dir=settings.state_dir, progress=say)
    base, image = engine.image("").ref.name, engine.image(AGENT).ref.name
    for each in engine.images.list():
        if each.tag.startswith("paddock/"):
            print(f"image {each.tag:<44}{each.bytes / 1e6:>6.0f} MB")
    authority, ca = trustme.CA(), place.folder / "authority.pem"
    authority.cert_pem.write_to_path(str(ca))
    authority.issue_cert("model").private_key_and_cert_chain_pem.write_to_path(str(place.folder / "model.pem"))
    with model_server(authority, ["api.anthropic.com"], DONE) as model, model_beside(base, place):
        ours = [sys.executable, "-m", "benchmarks.asking", AGENT, str(place.repository), str(settings.state_dir)]
        paddock, docker = paired(
            lambda: until_asked([*ours, str(model.port), str(ca)], place, lambda: heard_by(model)),
            lambda: until_asked(plain_docker(image, place), place, heard_beside),
            rounds,
        )
    value = median(mine / theirs for mine, theirs in zip(paddock.seconds, docker.seconds, strict=True))
    name = "first request to the model / the CLI in docker run"
    return [Finding(name=name, value=value, target=TARGET, detail=f"{paddock} / {docker}")]


def paired(first: Callable[[], float], second: Callable[[], float], rounds: int) -> tuple[Samples, Samples]:
    """Both, in turn, after one round to warm up."""
    pairs = [(first(), second()) for _ in range(rounds + 1)][1:]
    return Samples([pair[0] for pair in pairs]), Samples([pair[1] for pair in pairs])


def until_asked(argv: list[str], place: Place, heard: Callable[[], list[float]]) -> float:
    """Seconds from the command's start to the first request of the agent at work; the command is let end."""
    before, begin = len(heard()), time.monotonic()
    call(*argv, environment={**users_environment(), **place.environment, "PYTHONPATH": str(ROOT)})
    while len(times := heard()) <= before:
        if time.monotonic() - begin > 60:
            raise SystemExit(f"{argv[0]} did not ask the model")
        time.sleep(0.02)
    return times[before] - begin


def heard_by(model: ModelServer) -> list[float]:
    """When the model on loopback was asked, by the monotonic clock."""
    return [request.at for request in model.main]


def heard_beside() -> list[float]:
    """When the model in the container was asked, by the same clock."""
    return [float(line) for line in call("docker", "logs", BESIDE).split()]


@contextmanager
def model_beside(image: str, place: Place) -> Iterator[None]:
    """The fake model in a container, on an internal network of its own, as `model` to its neighbours."""
    call("docker", "network", "create", "--internal", "--label", LABEL, BESIDE)
    try:
        options = ("--detach", "--network", BESIDE, "--network-alias", "model", "--name", BESIDE, "--label", LABEL)
        source = ("--volume", f"{ROOT}:/source:ro", "--workdir", "/source", "--user", "0:0")
        key = ("--volume", f"{place.folder / 'model.pem'}:/model.pem:ro")
        call(
            "docker",
            "run",
            *options,
            *source,
            *key,
            image,
            "python3",
            "-B",
            "-m",
            "benchmarks.model_beside",
            "/model.pem",
        )
        yield
    finally:
        subprocess.run(["docker", "rm", "--force", BESIDE], check=False, capture_output=True)
        call("docker", "network", "rm", BESIDE)


def plain_docker(image: str, place: Place) -> list[str]:
    """The same CLI in the same image, as somebody would type it."""
    clone, user = place.folder / "plain", f"{os.getuid() or 4242}:{os.getgid() or 4242}"
    if not clone.exists():
        call("git", "clone", "--quiet", place.repository, clone)
        if os.geteuid() == 0:
            call("chown", "-R", user, clone)
    options = ["--rm", "--network", BESIDE, "--label", LABEL, "--user", user]
    mounts = ["--tmpfs", "/home/agent:exec,mode=1777", "--volume", f"{clone}:/workspace", "--workdir", "/workspace"]
    mounts += ["--volume", f"{place.folder / 'authority.pem'}:/authority.pem:ro"]
    variables = {**QUIET, "HOME": "/home/agent", "ANTHROPIC_BASE_URL": "https://model"}
    variables["NODE_EXTRA_CA_CERTS"] = "/authority.pem"
    named = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    return ["docker", "run", *options, *mounts, *named, image, *CLI]
