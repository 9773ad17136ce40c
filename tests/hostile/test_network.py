"""Attacks on the network that need a hand from outside: at the start, during the run, and on another run."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.errors import PolicyError
from runner.model.result import Outcome, RunResult
from runner.model.task import Task
from runner.run.execute import run_task
from runner.settings import load_settings
from runner.store.runs import RunPaths, run_paths
from tests.hostile.network_stage import GOODS, MadeUpInternet, audit_lines
from tests.hostile.real_run import command
from tests.integration.library import Library

pytestmark = pytest.mark.docker

POLICY = """\
description = "One name."
extends = "offline"
[network]
mode = "allow"
allow = ["allowed.test:80"]
"""
CROWD = """\
import socket, time
socks = []
for _ in range(1500):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect("/paddock/control/gateway.sock")
    sock.sendall(b"CONNECT allowed.test:80\\n")
    socks.append(sock)
print("crowded", flush=True)
time.sleep(60)
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    return file


@pytest.fixture
def internet() -> Iterator[MadeUpInternet]:
    with MadeUpInternet().open() as internet:
        yield internet


# --- before the agent starts ---------------------------------------------------------------------------------------


@contextmanager
def fake_gateway(door: socket.socket, answer: bytes) -> Iterator[SimpleNamespace]:
    """A gateway that says the same to everything; with nothing to say, it is not there at all."""
    door.setblocking(True)

    def serve() -> None:
        while True:
            try:
                asker, _ = door.accept()
            except OSError:
                return
            with asker:
                asker.recv(1000)
                asker.sendall(answer)
                asker.recv(1000)

    if answer:
        threading.Thread(target=serve, daemon=True).start()
    else:
        door.close()
    yield SimpleNamespace(failed="", uploaded=0, upload_exceeded=False, spent=(), over_budget="")
    if answer:
        door.shutdown(socket.SHUT_RDWR)


def run_behind(answer: bytes, library: Library, repository: Path, policy: Path) -> RunResult:
    """A run whose gateway is not ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runner.run.network.open_gateway", lambda _, door: fake_gateway(door, answer))
        return library.run(repository, "echo the agent runs", policy=policy)


def test_without_a_gateway_the_agent_does_not_start(library: Library, repository: Path, policy: Path) -> None:
    result = run_behind(b"", library, repository, policy)

    assert (result.outcome, result.agent_exit_code, result.leaks) == (Outcome.ENGINE_FAILED, None, ())
    assert "The network inside the sandbox is not up" in result.reason
    assert not paths_of(result).agent_log.exists()


def test_behind_a_gateway_that_allows_the_canary_the_agent_does_not_start(
    library: Library, repository: Path, policy: Path
) -> None:
    result = run_behind(b"PORTS 443\n", library, repository, policy)

    assert (result.outcome, result.agent_exit_code, result.leaks) == (Outcome.REFUSED, None, ())
    assert "canary" in result.reason
    assert not paths_of(result).agent_log.exists()


def paths_of(result: RunResult) -> RunPaths:
    """Where a run left what."""
    return run_paths(load_settings().state_dir, result.id)


def audit_of(result: RunResult) -> set[str]:
    """The lines of a run's record."""
    return audit_lines(paths_of(result).egress)


TOO_WIDE = (
    *("*", "*.", "**", "*.com", "*.co.uk", "*.github.io", "*x.test", "a.*.test", "a*.x.test", "*.*.x.test", ".x.test"),
    *("http://x.test", "x.test/path", "user@x.test", "x.test#y", "x.test?y", "x.test\\\\y", "%78.test", "x..test"),
    *("127.0.0.1", "0x7f.1", "2130706433", "[::1]", "::1", "10.0.0.0/8", "localhost", "x.test:0", "x.test:007"),
    *("x.test:99999", "x.test:-1", "x.test:*", "(a|b).test", "x.t[e]st", "^x.test$", "\\u0430.test", "x\\u0000.test"),
    *("x.test\\n*.test", " x.test", "x.test ", "xn--x.test", "@nobody", "@*", "", "a" * 64 + ".test", "(a+)+" * 40),
)


@pytest.mark.parametrize("entry", TOO_WIDE)
def test_an_entry_that_could_mean_more_than_it_says_is_refused_before_anything_starts(
    entry: str, library: Library, repository: Path, policy: Path
) -> None:
    policy.write_text(POLICY.replace('"allowed.test:80"', f'"{entry}"'))

    with pytest.raises(PolicyError):
        library.run(repository, policy=policy)

    assert not (load_settings().state_dir / "runs").exists()


# --- during the run ------------------------------------------------------------------------------------------------


def test_a_policy_that_is_rewritten_during_the_run_has_no_effect(
    library: Library, repository: Path, policy: Path, internet: MadeUpInternet
) -> None:
    rewritten = []

    def rewrite(_said: bytes) -> None:
        (kept,) = load_settings().state_dir.glob("runs/*/policy.json")
        wide = POLICY.replace('"allow"', '"open"')
        policy.write_text(wide)
        kept.chmod(0o600)
        kept.write_text(kept.read_text().replace('"allow"', '"open"').replace("allowed.test:80", "evil.test:80"))
        rewritten.append(kept.read_text())

    internet.when_heard = rewrite
    script = "curl -sS http://allowed.test/; curl -sS -m 5 http://evil.test/; curl -sS http://allowed.test/"
    result = library.run(repository, script, policy=policy, outside=internet.outside())

    assert '"open"' in rewritten[0]
    assert "evil.test" in rewritten[0]
    assert audit_of(result) == {
        "lookup allowed.test allowed listed",
        "connect allowed.test:80 allowed listed",
        "lookup evil.test refused not-listed",
    }
    assert set(internet.resolver.asked) == {"allowed.test"}


def test_the_gateway_listens_nowhere_but_in_its_runs_folder(
    library: Library, repository: Path, policy: Path, internet: MadeUpInternet
) -> None:
    before = listeners()
    during: list[set[str]] = []
    internet.when_heard = lambda _: during.append(listeners())

    library.run(repository, "curl -sS http://allowed.test/", policy=policy, outside=internet.outside())

    assert [found - before for found in during] == [set()]


def listeners() -> set[str]:
    """Inodes of TCP sockets that listen and of UDP sockets, of this process alone."""
    own = set()
    for path in Path("/proc/self/fd").iterdir():
        try:
            own.add(str(path.readlink()))
        except OSError:
            continue
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        rows = [line.split() for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]]
        found |= {row[9] for row in rows if (row[3] == "0A" or "udp" in table) and f"socket:[{row[9]}]" in own}
    return found


def test_a_crowd_in_one_run_does_not_hurt_another_runs_gateway(
    library: Library, repository: Path, policy: Path, internet: MadeUpInternet
) -> None:
    crowded = threading.Event()
    crowd = Task(repo=str(repository), argv=("python3", "-c", CROWD), policy=str(policy))
    host = replace(library.host, outside=internet.outside(), show=lambda _stream, _data: crowded.set())
    results: list[RunResult] = []
    other = threading.Thread(target=lambda: results.append(run_task(crowd, host)))
    other.start()
    try:
        assert crowded.wait(30)
        mine = library.run(repository, "curl -sS -m 10 http://allowed.test/", policy=policy, outside=internet.outside())
    finally:
        host.cancellation.request()
        other.join(60)

    assert (mine.outcome, mine.agent_exit_code, mine.denials) == (Outcome.NO_CHANGES, 0, ())
    assert "connect allowed.test:80 allowed listed" in audit_of(mine)
    assert results[0].outcome is Outcome.CANCELLED
    assert "protocol refused too-many-connections" in audit_of(results[0])


# --- afterwards ----------------------------------------------------------------------------------------------------

SUGGEST = """\
import socket
for place in ("evil.test:443", "*.evil.test:443", "10.0.0.9:443", "[::1]:443", "0x7f.1:80", "evil:443", "@evil:443"):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect("/paddock/control/gateway.sock")
        sock.sendall(f"CONNECT {place}\\n".encode())
        print(sock.recv(100))
"""


def test_what_is_suggested_are_the_exact_names_and_the_policy_stays_as_it_was(
    library: Library, repository: Path, policy: Path, internet: MadeUpInternet
) -> None:
    task = Task(repo=str(repository), argv=("python3", "-c", SUGGEST), policy=str(policy))
    result = run_task(task, replace(library.host, outside=internet.outside()))

    lines = command("policy", "suggest", result.id).splitlines()

    entries = [line.split('"')[1] for line in lines if line.startswith('  "')]
    assert entries == ["evil.test"]
    assert policy.read_text() == POLICY
    assert GOODS not in b"".join(internet.heard().values())
