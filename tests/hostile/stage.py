"""What there is to reach: repositories, a host process, listeners, and a file that tells on whoever writes it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.unit.repo.sources import ENVIRONMENT, commit, git, make_repository

PRIVATE_TEXT = "the host's private text"
TOKEN = "ghp_canary0123456789"
"""In the configuration of the user's repository, as forges and their robots leave them there."""
NAMESPACES = ("pid", "ipc", "uts", "net", "cgroup")
AGENT_IDENTITY = {
    "GIT_AUTHOR_NAME": "Agent",
    "GIT_AUTHOR_EMAIL": "agent@example.com",
    "GIT_COMMITTER_NAME": "Agent",
    "GIT_COMMITTER_EMAIL": "agent@example.com",
}


@dataclass(frozen=True, kw_only=True)
class Template:
    """Repositories that are made once and copied for each attack."""

    user: Path
    private: Path


def make_template(place: Path) -> Template:
    """A user's repository, with a remote and its token and an active hook, and a private repository of the host."""
    user, private = make_repository(place / "user"), place / "private"
    hook = user / ".git/hooks/post-checkout"
    hook.write_text("#!/bin/sh\nexit 0\n")
    hook.chmod(0o755)
    git(user, "remote", "add", "origin", f"https://user:{TOKEN}@forge.test/user.git")
    git(user, "config", "http.https://forge.test/.extraHeader", f"Authorization: Bearer {TOKEN}")
    git(user, "config", "credential.helper", f"!echo password={TOKEN}")
    private.mkdir()
    git(private, "init", "-q", "-b", "main")
    (private / "secret.txt").write_text(PRIVATE_TEXT + "\n")
    commit(private, "private commit")
    return Template(user=user, private=private)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One attack's own copy of everything."""

    place: Path

    @property
    def user(self) -> Path:
        """The user's repository."""
        return self.place / "user"

    @property
    def private(self) -> Path:
        """A repository of the host that nobody granted."""
        return self.place / "private"

    @property
    def canary(self) -> Path:
        """Whoever runs something on the host writes his name here."""
        return self.place / "canary"

    def fired(self) -> list[str]:
        """The names in the canary file."""
        return sorted(set(self.canary.read_text().split())) if self.canary.exists() else []

    def environment(self) -> dict[str, str]:
        """What the attacker knows; knowing where things are must not help him."""
        return {
            "CANARY": str(self.canary),
            "PRIVATE": str(self.private),
            "USER_REPO": str(self.user),
            "PRIVATE_COMMIT": git(self.private, "rev-parse", "HEAD"),
            "STASH_BLOB": git(self.user, "rev-parse", "refs/stash:file"),
            "START": git(self.user, "rev-parse", "main"),
        }

    def clone(self) -> Path:
        """The agent's directory, as a tool without a sandbox would make it."""
        workspace = self.place / "workspace"
        git(self.place, "clone", "-q", "--no-local", "--single-branch", str(self.user), str(workspace))
        git(workspace, "remote", "remove", "origin")
        return workspace


def set_stage(template: Template, place: Path) -> Stage:
    """Copy the template's repositories to `place`."""
    for source in (template.user, template.private):
        shutil.copytree(source, place / source.name, symlinks=True)
    return Stage(place=place)


@contextmanager
def listening() -> Iterator[tuple[dict[str, str], dict[str, bytes]]]:
    """Listeners on the host's loopback: how to reach them, and what each of them has heard so far."""
    heard = {"tcp": b"", "udp": b""}
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                peer, _ = tcp.accept()
                with peer:
                    peer.settimeout(5)
                    heard["tcp"] += peer.recv(100)

    def receive() -> None:
        with suppress(OSError):
            while data := udp.recv(1000):
                heard["udp"] += data

    for listener in (accept, receive):
        threading.Thread(target=listener, daemon=True).start()
    try:
        yield {"HOST_TCP": str(tcp.getsockname()[1]), "HOST_UDP": str(udp.getsockname()[1])}, heard
    finally:
        with suppress(OSError):
            tcp.shutdown(socket.SHUT_RDWR)
        tcp.close()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", udp.getsockname())
        udp.close()


@contextmanager
def host_process(nonce: str) -> Iterator[dict[str, str]]:
    """A process of the host with something to read in its environment."""
    with subprocess.Popen(["sleep", "1000"], env={"HOST_SECRET": nonce}) as process:
        try:
            yield {"HOST_PID": str(process.pid), "HOST_NAMESPACES": json.dumps(namespaces())}
        finally:
            process.kill()


def namespaces() -> dict[str, str]:
    """The host's namespaces."""
    return {name: os.readlink(f"/proc/self/ns/{name}") for name in NAMESPACES}  # noqa: PTH115 - not a path of files


def host_environment(home: Path, **more: str) -> dict[str, str]:
    """What a naive tool of the host runs with."""
    return {**ENVIRONMENT, **AGENT_IDENTITY, "HOME": str(home), "GIT_TERMINAL_PROMPT": "0", **more}
