"""`forward`, `exec`, `shell` and `doctor --network` with real sandboxes: nothing gains a way out, nothing is left."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest
from docker import APIClient

from tests.integration.cli import Done, Paddock, finish, under_way, until

pytestmark = pytest.mark.docker

SERVER = (
    "mkdir /tmp/site && cd /tmp/site && echo 'made by {name}' > index.html && echo ready "
    "&& exec python3 -m http.server 8000"
)
WAITING = "echo ready; sleep 300"
PRIVILEGES = ("NoNewPrivs", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Uid", "Gid", "Groups", "Seccomp")
LOOK = f"grep -E '^({'|'.join(PRIVILEGES)}):' /proc/self/status; ulimit -n; cat /proc/self/cgroup; ls /sys/class/net"
IO_URING = (
    "import ctypes; c = ctypes.CDLL(None, use_errno=True); c.syscall(425, 4, b'\\0' * 120); print(ctypes.get_errno())"
)


@contextmanager
def agent(paddock: Paddock, repository: Path, script: str, name: str, policy: str = "offline") -> Iterator[str]:
    """A run whose agent is at work; its name."""
    argv = ("run", repository, "--name", name, "--policy", policy, "--", "sh", "-c", script)
    process = paddock.popen(*argv)
    with under_way(process):
        logs = paddock.state.glob
        until(lambda: any("ready" in log.read_text() for log in logs(f"runs/*-{name}-*/agent.log")))
        yield name


@contextmanager
def forwarded(paddock: Paddock, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`paddock forward` under way, and its first URL."""
    process = paddock.popen("forward", *words)
    with under_way(process):
        assert process.stdout
        yield process, process.stdout.readline().split()[0]


def page(url: str) -> str:
    """What a browser without a proxy would get."""
    with build_opener(ProxyHandler({})).open(url, timeout=20) as answer:
        text: str = answer.read().decode()
    return text


def typed(paddock: Paddock, data: str, *words: str) -> Done:
    """A command with input."""
    done = subprocess.run(
        [paddock.python, "-m", "runner", *words],
        cwd=paddock.folder,
        env=paddock.environment(),
        input=data,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


# --- forward ------------------------------------------------------------------------------------------------------


def test_two_runs_with_the_same_port_inside_have_urls_of_their_own(paddock: Paddock, repository: Path) -> None:
    with (
        agent(paddock, repository, SERVER.format(name="one"), "one") as one,
        agent(paddock, repository, SERVER.format(name="two"), "two") as two,
        forwarded(paddock, one, "8000") as (_, first),
        forwarded(paddock, two, "8000") as (_, second),
    ):
        assert (page(first), page(second)) == ("made by one\n", "made by two\n")
        assert first != second


def test_a_port_is_the_same_each_time_and_the_next_one_when_it_is_taken(paddock: Paddock, repository: Path) -> None:
    # The port goes by the run's name: no other test's, which may be at work at the same time.
    with agent(paddock, repository, SERVER.format(name="same"), "same") as run:
        with forwarded(paddock, run, "8000") as (_, first), forwarded(paddock, run, "8000") as (_, second):
            assert (page(first), page(second)) == ("made by same\n", "made by same\n")
        with forwarded(paddock, run, "8000") as (_, again):
            assert page(again) == "made by same\n"
    assert again == first
    assert int(second.rpartition(":")[2]) > int(first.rpartition(":")[2])


def test_a_port_of_your_own_is_that_port_on_loopback_alone(paddock: Paddock, repository: Path) -> None:
    port = free_port()
    with (
        agent(paddock, repository, SERVER.format(name="one"), "one") as one,
        forwarded(paddock, one, f"8000:{port}") as (process, url),
    ):
        assert (url, page(url)) == (f"http://127.0.0.1:{port}", "made by one\n")
        assert listening_addresses(port) == {"0100007F"}
        process.send_signal(signal.SIGINT)
        assert finish(process).code == 0
        (run,) = paddock.state.glob("runs/*")
        assert [path.name for path in (run / "control").iterdir() if path.name.startswith("forward")] == []
        left = paddock.good("exec", one, "--", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
        assert "forward-" not in left, "the relay has gone too"


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def listening_addresses(port: int) -> set[str]:
    """The kernel's list of addresses at which that port is listened at, IPv6 too."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:] + Path("/proc/net/tcp6").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}


def test_forwarding_ends_with_the_run(paddock: Paddock, repository: Path) -> None:
    with (
        agent(paddock, repository, SERVER.format(name="one"), "one") as one,
        forwarded(paddock, one, "8000") as (
            process,
            url,
        ),
    ):
        assert page(url) == "made by one\n"
        paddock("stop", one, "--now")
        done = finish(process)
        assert (done.code, "has ended" in done.err) == (0, True), done.err
    assert paddock("forward", one, "8000").code == 2


def test_a_relay_that_the_agent_kills_is_told(paddock: Paddock, repository: Path) -> None:
    with agent(paddock, repository, WAITING, "one") as one, forwarded(paddock, one, "8000") as (process, _):
        found = "grep -aq forward- $p/cmdline && [ $p != /proc/$$ ]"
        kill = f"for p in /proc/[0-9]*; do {found} && kill -9 ${{p#/proc/}}; done; true"
        paddock("exec", one, "--", "sh", "-c", kill)
        done = finish(process)
    assert (done.code, "relay in the sandbox" in done.err) == (40, True), done.err


@pytest.mark.parametrize("policy", ["none", "allow"])
def test_forwarding_gives_the_sandbox_no_interface(paddock: Paddock, repository: Path, policy: str) -> None:
    file = str(paddock.policy('[network]\nmode = "allow"')) if policy == "allow" else "offline"
    with (
        agent(paddock, repository, SERVER.format(name="one"), "one", file) as one,
        forwarded(paddock, one, "8000") as (_, url),
    ):
        assert page(url) == "made by one\n"
        assert paddock.good("exec", one, "--", "ls", "/sys/class/net") == "lo\n"


# --- exec ---------------------------------------------------------------------------------------------------------


def test_a_command_inside_has_what_the_agent_has_and_no_more(paddock: Paddock, repository: Path) -> None:
    with agent(paddock, repository, f"{LOOK}; env | sort; pwd; {WAITING}", "one") as one:
        (log,) = paddock.state.glob("runs/*/agent.log")
        agents = log.read_text().removesuffix("ready\n").splitlines()
        ours = paddock.good("exec", one, "--", "sh", "-c", f"{LOOK}; env | sort; pwd").splitlines()
        ring = paddock.good("exec", one, "--", "python3", "-c", IO_URING)

    # The shell's own variables differ by how deep it stands.
    assert [line for line in ours if not line.startswith(("SHLVL=", "OLDPWD="))] == [
        line for line in agents if not line.startswith(("SHLVL=", "OLDPWD="))
    ]
    assert ring == "1\n", "io_uring is closed: EPERM"


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -9 $$", 137), ("true", 0)])
def test_the_exit_code_is_the_commands_own(paddock: Paddock, repository: Path, script: str, code: int) -> None:
    with agent(paddock, repository, WAITING, "one") as one:
        assert paddock("exec", one, "--", "sh", "-c", script).code == code


def test_input_is_passed_and_both_streams_stay_apart(paddock: Paddock, repository: Path) -> None:
    with agent(paddock, repository, WAITING, "one") as one:
        done = typed(paddock, "some\ninput", "exec", one, "--", "sh", "-c", "cat; echo error >&2")
        missing = typed(paddock, "", "exec", one, "--", "no-such-program")
    assert (done.code, done.out, done.err) == (0, "some\ninput", "error\n")
    assert (missing.code, missing.out) == (127, "")
    assert "no-such-program: command not found" in missing.err


def test_on_a_terminal_what_a_command_prints_is_escaped(paddock: Paddock, repository: Path) -> None:
    with agent(paddock, repository, WAITING, "one") as one:
        seen, code = on_a_terminal(paddock, [], "exec", one, "--", "printf", "\\033]0;title\\007plain\\n")
    assert code == 0
    assert "plain" in seen
    assert "\x1b]0" not in seen
    assert "\x07" not in seen


def test_a_run_that_is_over_is_refused_in_words(paddock: Paddock, repository: Path) -> None:
    run = paddock.run(repository, "true")["id"]
    for words in (("exec", run, "--", "true"), ("forward", run, "8000")):
        done = paddock(*words)
        assert (done.code, "Its sandbox has gone." in done.err) == (2, True), done.err


# --- shell --------------------------------------------------------------------------------------------------------


def on_a_terminal(paddock: Paddock, lines: list[str], *words: str) -> tuple[str, int]:
    """What `paddock WORDS` shows on a terminal of 33 rows and 97 columns where these lines are typed; its exit code."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(paddock.folder)
        os.execve(paddock.python, [paddock.python, "-m", "runner", *words], paddock.environment())
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 97, 0, 0))
    seen = b""
    for line in [*lines, ""]:
        end = time.monotonic() + 30
        while line and not seen.endswith((b"$ ", b"# ")) and time.monotonic() < end:
            seen += os.read(terminal, 65536)
        if line:
            os.write(terminal, line.encode() + b"\r")
            time.sleep(0.3)
    try:
        while piece := os.read(terminal, 65536):
            seen += piece
    except OSError:  # a terminal whose other end has gone
        pass
    os.close(terminal)
    return seen.decode("utf-8", "backslashreplace"), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_shell_has_a_terminal_of_our_size_and_ends_with_its_own_code(paddock: Paddock, repository: Path) -> None:
    with agent(paddock, repository, WAITING, "one") as one:
        lines = ["stty size; id -u; pwd", "grep -E 'NoNewPrivs|CapEff' /proc/self/status", "exit 9"]
        seen, code = on_a_terminal(paddock, lines, "shell", one)
    assert code == 9
    assert "33 97" in seen
    assert "/workspace" in seen
    assert "NoNewPrivs:\t1" in seen.replace("\r", "")
    assert "CapEff:\t0000000000000000" in seen


def test_a_shell_without_a_terminal_is_refused(paddock: Paddock, repository: Path) -> None:
    with agent(paddock, repository, WAITING, "one") as one:
        done = paddock("shell", one)
    assert (done.code, "needs a terminal" in done.err) == (2, True)


# --- doctor -------------------------------------------------------------------------------------------------------


def test_the_doctor_tries_the_network_and_leaves_nothing(paddock: Paddock, docker_client: APIClient) -> None:
    done = paddock("doctor", "--network", "--json")
    findings = {row["name"]: row["level"] for row in json.loads(done.out)}

    names = ("gateway", "canary", "route", "interface", "sandbox")
    assert {name: findings.get(f"net-{name}") for name in names} == dict.fromkeys(names, "ok"), done.out
    assert list((paddock.state / "runs").iterdir()) == []
    assert docker_client.containers(all=True, filters={"label": f"paddock.state={paddock.state}"}) == []
