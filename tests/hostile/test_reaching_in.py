"""The agent of a run into which the host reaches: it answers, pretends, kills and lies in wait."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from docker import APIClient

from runner.sandbox.images import ImageStore
from tests.conftest import engine_api
from tests.hostile.open_setup import build_image
from tests.integration.cli import Paddock, under_way, until

pytestmark = pytest.mark.docker

WAIT = "echo ready; sleep 300"
STRANGERS = r"""
import glob, os, socket, sys, time
print("ready", flush=True)
while not (found := glob.glob("/paddock/control/forward-*.sock")):
    time.sleep(0.02)
told = []
for said in (b"", b"GET / HTTP/1.0\r\n\r\n", b"0" * 32 + b"poison", b"\xff" * 200_000):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(found[0])
        try:
            peer.sendmsg([said or b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, (1).to_bytes(4, sys.byteorder))])
            peer.shutdown(socket.SHUT_WR)
            told.append(peer.recv(100))
        except OSError:
            told.append(b"")
kept = [socket.socket(socket.AF_UNIX) for _ in range(300)]
for peer in kept:
    peer.connect(found[0])
print("strangers heard", told, flush=True)
server = socket.create_server(("127.0.0.1", 8000))
while True:
    peer = server.accept()[0]
    peer.sendall(b"the server itself")
    peer.close()
"""
OWN_PYTHON = r"""
printf '#!/bin/sh\necho own python >> /tmp/started\nexec /usr/bin/env -i "$@"\n' > ~/python3
chmod +x ~/python3
"""
OWN_PATH = "/home/agent:/usr/local/bin:/usr/bin:/bin"
IO_URING = (
    "import ctypes, errno; c = ctypes.CDLL(None, use_errno=True); "
    "r = c.syscall(425, 4, b'\\0' * 120); print('ok' if r >= 0 else errno.errorcode[ctypes.get_errno()])"
)
PRIVILEGES = "grep -E '^(NoNewPrivs|Cap...|Uid|Gid|Groups):' /proc/self/status"


@contextmanager
def agent(paddock: Paddock, repository: Path, *argv: str, image: str = "") -> Iterator[Path]:
    """A run named `target` whose agent has said `ready`; its log."""
    options = ("--image", image) if image else ()
    process = paddock.popen("run", repository, "--name", "target", *options, "--", *argv)
    with under_way(process):
        yield until(lambda: next((p for p in paddock.state.glob("runs/*/agent.log") if "ready" in p.read_text()), None))


@contextmanager
def forwarded(paddock: Paddock) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Port 8000 of the run, on this machine."""
    process = paddock.popen("forward", "target", "8000")
    with under_way(process):
        assert process.stdout
        yield process, int(process.stdout.readline().split()[0].rpartition(":")[2])


def answer_at(port: int) -> bytes:
    """All that a client is told."""
    data = b""
    with socket.create_connection(("127.0.0.1", port), 20) as client:
        while piece := client.recv(65536):
            data += piece
    return data


def pipes_of(process: int) -> set[int]:
    """Descriptors of a process of the host's that are pipes."""
    found = set()
    for path in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            if str(path.readlink()).startswith("pipe:"):
                found.add(int(path.name))
    return found


def test_whoever_connects_to_the_hosts_socket_without_a_token_is_told_nothing_and_answers_nobody(
    paddock: Paddock, repository: Path
) -> None:
    with agent(paddock, repository, "python3", "-c", STRANGERS) as log, forwarded(paddock) as (process, port):
        until(lambda: "strangers heard" in log.read_text())
        answers = {until(lambda: answer_at(port)) for _ in range(5)}
        opened = pipes_of(process.pid)

    assert log.read_text().splitlines()[1] == "strangers heard [b'', b'', b'', b'']"
    assert answers == {b"the server itself"}
    assert opened == {1, 2}, "the descriptor that a stranger sent along, a pipe, was not taken"


def test_the_hosts_process_has_no_socket_inside_and_the_sandbox_no_descriptor_of_the_hosts(
    paddock: Paddock, repository: Path
) -> None:
    listing = "for f in /proc/[0-9]*/fd/*; do readlink $f; done | grep -c 'socket:' || true; cat /proc/net/tcp | wc -l"
    with agent(paddock, repository, "sh", "-c", WAIT), forwarded(paddock) as (_, port):
        answer_at(port)
        sockets, lines = paddock.good("exec", "target", "--", "sh", "-c", listing).split()

    assert (sockets, lines) == ("0", "1"), "the relay holds no socket but while it carries one"


@pytest.mark.parametrize("tool", ["paddock", "naive"])
def test_a_program_beside_the_agent_gains_no_privilege_and_no_io_uring(
    tool: str, paddock: Paddock, repository: Path, docker_client: APIClient
) -> None:
    """What `docker exec` alone would start has io_uring where Docker's profile leaves it open: the control leg."""
    script = f'{PRIVILEGES}; python3 -c "$0"'
    with agent(paddock, repository, "sh", "-c", f"{PRIVILEGES}; {WAIT}") as log:
        agents = log.read_text().removesuffix("ready\n")
        if tool == "paddock":
            printed = paddock.good("exec", "target", "--", "sh", "-c", script, IO_URING)
        else:
            (row,) = docker_client.containers(
                filters={"label": ["paddock.role=sandbox", f"paddock.state={paddock.state}"]}
            )
            made = docker_client.exec_create(row["Id"], ["sh", "-c", script, IO_URING])
            printed = docker_client.exec_start(made["Id"]).decode()
        major = int(docker_client.version()["Version"].split(".")[0])

    open_to_all = tool == "naive" and major < 25
    assert printed == agents + ("ok\n" if open_to_all else "EPERM\n")


def test_a_python_of_the_agents_own_is_not_what_the_host_starts(
    paddock: Paddock, repository: Path, docker_client: APIClient
) -> None:
    base = ImageStore(engine_api(), lambda _: None, state_dir=paddock.state).base().name
    image = build_image(docker_client, f"FROM {{base}}\nENV PATH={OWN_PATH}\n", base)
    look = "command -v python3; echo $PATH; cat /tmp/started 2>/dev/null | wc -l"
    try:
        with agent(paddock, repository, "sh", "-c", f"{OWN_PYTHON}{WAIT}", image=image):
            seen = paddock.good("exec", "target", "--", "sh", "-c", look).split()
    finally:
        docker_client.remove_image(image, force=True)

    assert seen == ["/home/agent/python3", OWN_PATH, "0"], "only the command itself is looked up as the agent's are"
