"""git inside a sandbox, over https and ssh, with the hosts that its policy allows and no others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from docker import APIClient

from runner.model.result import Outcome
from tests.integration.programs_kit import Bench, said
from tests.integration.servers import git_server
from tests.unit.repo.sources import git, make_repository

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]  # the first of them may build the image

CLONE_PUSH_FETCH = """\
set -e
cd /tmp
git clone --quiet {url} one
git clone --quiet {url} two
cd one && echo new > new && git add new && git commit --quiet --message "From the sandbox" && git push --quiet
cd ../two && git fetch --quiet && git log -1 --format=%s origin/main
"""
SSH = (
    "install -m 600 key /tmp/key\n"
    'export GIT_SSH_COMMAND="ssh -i /tmp/key -o UserKnownHostsFile=$PWD/known_hosts -o StrictHostKeyChecking=yes"\n'
)


@pytest.fixture
def forge(tmp_path: Path) -> Path:
    """A folder with one bare repository that anybody may write."""
    git(tmp_path, "clone", "--quiet", "--bare", str(make_repository(tmp_path / "upstream")), "forge/project.git")
    for path in (tmp_path / "forge").rglob("*"):
        path.chmod(path.stat().st_mode | 0o666 | (0o111 if path.is_dir() else 0))
    return tmp_path / "forge"


def test_git_clones_pushes_and_fetches_over_https(bench: Bench, forge: Path) -> None:
    with bench.town.web("git.test", git_server(forge)):
        result = bench.run(CLONE_PUSH_FETCH.format(url="https://git.test/project.git"), "git.test")
    assert (result.outcome, said(result)) == (Outcome.NO_CHANGES, "From the sandbox\n")
    assert git(forge / "project.git", "log", "-1", "--format=%s", "main") == "From the sandbox"
    assert result.denials == ()


def test_git_clones_pushes_and_fetches_over_ssh(bench: Bench, forge: Path, docker_client: APIClient) -> None:
    with ssh_server(bench, forge, docker_client):
        script = SSH + CLONE_PUSH_FETCH.format(url="agent@git.test:/srv/forge/project.git")
        result = bench.run(script, "git.test:22")
    assert (result.outcome, said(result)) == (Outcome.NO_CHANGES, "From the sandbox\n")
    assert git(forge / "project.git", "log", "-1", "--format=%s", "main") == "From the sandbox"
    assert result.denials == ()


def test_a_host_that_is_allowed_for_https_is_not_reached_over_ssh(bench: Bench, forge: Path) -> None:
    with bench.town.web("git.test", git_server(forge)):
        result = bench.run("git clone agent@git.test:/srv/forge/project.git 2>&1; exit 0", "git.test")
    assert "ssh: connect to host git.test port 22: Connection refused" in said(result)
    assert bench.town.dialled == []


def test_git_says_in_its_own_words_that_a_host_is_not_there(bench: Bench, forge: Path) -> None:
    script = "git clone https://git.test/project.git 2>&1; git clone agent@git.test:project.git 2>&1; exit 0"
    with bench.town.web("git.test", git_server(forge)):
        result = bench.run(script, "other.test:443", "other.test:22")
    assert "Could not resolve host: git.test" in said(result)
    assert "ssh: Could not resolve hostname git.test" in said(result)
    assert [(row.name, row.reason) for row in result.denials] == [("git.test", "not-listed")]
    assert bench.town.dialled == []


@contextmanager
def ssh_server(bench: Bench, forge: Path, client: APIClient) -> Iterator[None]:
    """OpenSSH's own server for `git.test:22`, in a container without a network that a Unix socket leads into."""
    folder = bench.folder / "ssh"
    folder.mkdir()
    host_public = write_key(folder / "host_key")
    user_public = write_key(folder / "user_key")
    (folder / "authorized_keys").write_text(user_public + "\n")
    bench.put("key", (folder / "user_key").read_bytes())
    bench.put("known_hosts", f"git.test {host_public}\n")
    folder.chmod(0o777)
    binds = [f"{folder}:/srv/ssh", f"{forge}:/srv/forge"]
    created = client.create_container(
        bench.image,
        ["python3", "/srv/sshd.py"],
        labels={"paddock.role": "test"},
        host_config=client.create_host_config(
            network_mode="none", binds=[*binds, f"{Path(__file__).with_name('sshd.py')}:/srv/sshd.py:ro"]
        ),
    )
    try:
        client.start(created["Id"])
        bench.town.serve("git.test", 22, 0)
        bench.town.sockets[22] = folder / "sshd.sock"
        end = time.monotonic() + 20
        while not bench.town.sockets[22].exists():
            assert time.monotonic() < end, client.logs(created["Id"])
            time.sleep(0.05)
        yield
    finally:
        client.remove_container(created["Id"], force=True)


def write_key(path: Path) -> str:
    """A private key at `path`, as OpenSSH writes it; its public half as a line."""
    key = Ed25519PrivateKey.generate()
    form = serialization.PrivateFormat.OpenSSH
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    path.chmod(0o644)
    public = key.public_key()
    return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
