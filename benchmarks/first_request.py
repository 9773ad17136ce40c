"""How long it takes from the command to an agent's first word to its model, beside the same CLI in plain Docker."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import trustme

from benchmarks.measure import Finding, Samples, call, users_environment
from benchmarks.one_run import LABEL
from benchmarks.place import Place
from runner.cli.terminal import say
from runner.sandbox.docker_engine import DockerEngine
from runner.settings import load_settings
from tests.models.dialogues import Dialogue, Turn
from tests.models.server import ModelServer, model_server

TARGET = 1.3
AGENT = "claude"
CLI = ("claude", "-p", "Say done.", "--dangerously-skip-permissions", "--output-format", "stream-json", "--verbose")
QUIET = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "ANTHROPIC_API_KEY": "x" * 20}


def measure_first_request(place: Place, rounds: int) -> list[Finding]:
    """One finding, and the sizes of the images, which are printed."""
    settings = load_settings(state_dir=place.folder / "state")
    engine = DockerEngine(settings.engine, state_dir=settings.state_dir, progress=say)
    image = engine.image(AGENT).ref.name
    for each in engine.images.list():
        if each.tag:
            print(f"image {each.tag:<44}{each.bytes / 1e6:>6.0f} MB")
    authority = trustme.CA()
    ca = place.folder / "authority.pem"
    authority.cert_pem.write_to_path(str(ca))
    done = Dialogue(turns=(Turn("Done."),))
    with (
        model_server(authority, ["api.anthropic.com"], done) as behind_gateway,
        model_server(None, ["127.0.0.1"], done) as plain,
    ):
        ours = [sys.executable, "-m", "benchmarks.asking", AGENT, str(place.repository), str(settings.state_dir)]
        taken = paired(
            lambda: until_asked(behind_gateway, [*ours, str(behind_gateway.port), str(ca)], place),
            lambda: until_asked(plain, plain_docker(image, plain.port, place), place),
            rounds,
        )
    paddock, docker = taken
    value = median(mine / theirs for mine, theirs in zip(paddock.seconds, docker.seconds, strict=True))
    name = "first request to the model / the CLI in docker run"
    return [Finding(name=name, value=value, target=TARGET, detail=f"{paddock} / {docker}")]


def paired(first: Callable[[], float], second: Callable[[], float], rounds: int) -> tuple[Samples, Samples]:
    """Both, in turn, after one round to warm up."""
    pairs = [(first(), second()) for _ in range(rounds + 1)][1:]
    return Samples([pair[0] for pair in pairs]), Samples([pair[1] for pair in pairs])


def until_asked(server: ModelServer, argv: list[str], place: Place) -> float:
    """Seconds from the command's start to the first request of the agent at work; the command is let end."""
    before = len(server.main)
    begin = time.monotonic()
    environment = {**users_environment(), **place.environment}
    with subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        heard = server.wait(before + 1)[before]
        process.communicate()
    if process.returncode not in {0, 3}:
        raise SystemExit(f"{' '.join(argv)} failed ({process.returncode})")
    return heard.at - begin


def plain_docker(image: str, port: int, place: Place) -> list[str]:
    """The same CLI in the same image, on the host's network, as somebody would type it."""
    clone = place.folder / "plain"
    if not clone.exists():
        call("git", "clone", "--quiet", place.repository, clone)
        call("chown", "-R", "4242:4242", clone) if os.geteuid() == 0 else None
    user = "4242:4242" if os.geteuid() == 0 else f"{os.getuid()}:{os.getgid()}"
    options = ["--rm", "--network", "host", "--label", LABEL, "--user", user, "--tmpfs", "/home/agent:exec,mode=1777"]
    variables = {**QUIET, "HOME": "/home/agent", "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}"}
    named = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    return [
        "docker",
        "run",
        *options,
        *named,
        "--volume",
        f"{clone}:/workspace",
        "--workdir",
        "/workspace",
        image,
        *CLI,
    ]
