"""How long it takes from `paddock run` to an agent's first word to its model, beside the same CLI in plain Docker."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

import trustme

from benchmarks.asking import APIS
from benchmarks.measure import Finding, Samples, call, users_environment
from benchmarks.model_beside import DONE
from benchmarks.place import Place
from benchmarks.plain_cli import KEY, ROOT, heard_beside, model_beside, plain_docker, write_trusted
from runner.agents.table import agent_named
from runner.cli.terminal import say
from runner.sandbox.docker_engine import DockerEngine
from runner.settings import load_settings
from tests.models.server import ModelServer, model_server

TARGET = 1.3
AGENTS = ("claude", "codex", "gemini", "opencode", "aider", "mini")
KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY")
PROMPT = "Say done."
LONGEST = 60.0


def measure_first_request(place: Place, rounds: int) -> list[Finding]:
    """A finding for each agent that is shipped; the sizes of the shipped images are printed."""
    settings = load_settings(state_dir=place.folder / "state")
    engine = DockerEngine(settings.engine, state_dir=settings.state_dir, progress=say)
    images = {name: engine.image(name).ref.name for name in ("", *AGENTS)}
    for each in engine.images.list():
        if each.tag in images.values():
            print(f"image {each.tag:<44}{each.bytes / 1e6:>6.0f} MB")
    authority, ca = trustme.CA(), place.folder / "authority.pem"
    authority.cert_pem.write_to_path(str(ca))
    (place.folder / "config.toml").write_text(f'extra_ca = "{ca}"\n')
    write_trusted(images[""], place, authority)
    with model_server(authority, APIS, DONE) as model, model_beside(images[""], place, authority):
        return [measure_agent(name, images[name], place, model, rounds) for name in AGENTS]


def measure_agent(name: str, image: str, place: Place, model: ModelServer, rounds: int) -> Finding:
    """The median of the rounds' ratios, after a round to warm up."""
    paddock, docker = [], []
    for _ in range(rounds + 1):
        paddock.append(until_asked(paddock_run(name, place, model), place, lambda: heard_by(model)))
        docker.append(until_asked(plain_docker(agent_named(name, {}), image, place, PROMPT), place, heard_beside))
    pairs = list(zip(paddock, docker, strict=True))[1:]
    return Finding(
        name=f"first request of {name} / the CLI in docker run",
        value=median(ours / theirs for ours, theirs in pairs),
        target=TARGET,
        detail=f"{Samples(paddock[1:])} / {Samples(docker[1:])}",
    )


def paddock_run(agent: str, place: Place, model: ModelServer) -> list[str]:
    """The real command, but for where its gateway dials."""
    words = ["run", str(place.repository), "--agent", agent, PROMPT]
    return [sys.executable, str(ROOT / "benchmarks" / "asking.py"), str(model.port), *words]


def until_asked(argv: Sequence[str], place: Place, heard: Callable[[], list[float]]) -> float:
    """Seconds from the command's start to the first request of the agent at work; the command is let end."""
    before = len(heard())
    own = {"PYTHONPATH": str(ROOT), "PADDOCK_CONFIG": str(place.folder / "config.toml"), **dict.fromkeys(KEYS, KEY)}
    begin = time.monotonic()
    call(*argv, environment={**users_environment(), **place.environment, **own})
    while len(times := heard()) <= before:
        if time.monotonic() - begin > LONGEST:
            raise SystemExit(f"{' '.join(argv)} did not ask the model")
        time.sleep(0.02)
    return times[before] - begin


def heard_by(model: ModelServer) -> list[float]:
    """When the model on loopback was asked, by the monotonic clock."""
    return [request.at for request in model.main]
