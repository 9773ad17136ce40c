"""An agent's CLI in plain `docker run`, as somebody would type it; and its model, in a container beside."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from benchmarks.measure import call
from benchmarks.one_run import LABEL
from benchmarks.place import Place
from runner.agents.base import Agent, Api, Assignment
from runner.model.request import Command
from runner.model.task import Task
from runner.plan import AGENT, TASK

BESIDE = "paddock-bench-model"
"""The network, and the container in it, of the plain CLI's model."""
MODEL = "model.test"
"""Its name in there."""
KEY = "sk-test-0123456789abcdef"
TRUST = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CODEX_CA_CERTIFICATE")
"""What the CLIs are told by whom to trust."""
ROOTS = "/etc/ssl/certs/ca-certificates.crt"
TRUSTED = "trusted.pem"
"""The file of a place with all whom the plain CLI trusts: the image's usual roots, as in a sandbox, and the model's."""
ROOT = Path(__file__).resolve().parents[1]


def write_trusted(image: str, place: Place, authority: trustme.CA) -> None:
    """Make that file."""
    roots = call("docker", "run", "--rm", "--network", "none", "--label", LABEL, image, "cat", ROOTS)
    (place.folder / TRUSTED).write_text(roots + authority.cert_pem.bytes().decode())


@contextmanager
def model_beside(image: str, place: Place, authority: trustme.CA) -> Iterator[None]:
    """The fake model in a container, on an internal network of its own."""
    certificate = place.folder / "model.pem"
    authority.issue_cert(MODEL).private_key_and_cert_chain_pem.write_to_path(str(certificate))
    call("docker", "network", "create", "--internal", "--label", LABEL, BESIDE)
    try:
        options = ["--detach", "--network", BESIDE, "--network-alias", MODEL, "--name", BESIDE, "--label", LABEL]
        options += ["--volume", f"{ROOT}:/source:ro", "--workdir", "/source", "--user", "0:0"]
        options += ["--volume", f"{certificate}:/model.pem:ro"]
        call("docker", "run", *options, image, "python3", "-B", "-m", "benchmarks.model_beside", "/model.pem")
        yield
    finally:
        subprocess.run(["docker", "rm", "--force", BESIDE], check=False, capture_output=True)
        call("docker", "network", "rm", BESIDE)


def heard_beside() -> list[float]:
    """When that model was asked, by the monotonic clock."""
    return [float(line) for line in call("docker", "logs", BESIDE).split()]


def plain_docker(agent: Agent, image: str, place: Place, prompt: str) -> list[str]:
    """The same CLI with the same settings in the same image, in a clone of the repository; its key is passed in."""
    uid, gid = os.getuid() or 4242, os.getgid() or 4242
    clone, task, own = (place.folder / f"plain-{name}" for name in ("clone", "task", "own"))
    for folder in (clone, task, own):
        shutil.rmtree(folder, ignore_errors=True)
    call("git", "clone", "--quiet", place.repository, clone)
    command = plain_command(agent, prompt)
    for folder, files in ((task, command.files), (own, command.state)):
        folder.mkdir()
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    if os.geteuid() == 0:
        call("chown", "-R", f"{uid}:{gid}", clone, own)
    options = ["--rm", "--network", BESIDE, "--label", LABEL, "--user", f"{uid}:{gid}"]
    options += ["--tmpfs", f"/home/agent:exec,uid={uid},gid={gid}", "--workdir", "/workspace"]
    for source, target in ((clone, "/workspace"), (task, f"{TASK}:ro"), (own, AGENT)):
        options += ["--volume", f"{source}:{target}"]
    options += ["--volume", f"{place.folder / TRUSTED}:/{TRUSTED}:ro"]
    variables = {"HOME": "/home/agent", **command.environment, **dict.fromkeys(TRUST, f"/{TRUSTED}")}
    options += [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    return ["docker", "run", *options, image, *command.argv]


def plain_command(agent: Agent, prompt: str) -> Command:
    """What the adapter has run, its model reached by TLS and with a key of its own."""
    provider = agent.providers("")[0]
    key = provider.keys[0].variable
    url = f"https://{MODEL}{urlsplit(provider.url).path}"
    api = Api(provider=provider.name, url=url, variable=key, injected=False)
    command = agent.command(Assignment(task=Task(repo="/workspace", agent=agent.name, prompt=prompt), api=api))
    return command.model_copy(update={"environment": {**command.environment, key: KEY}})
