"""Attacks on a sandbox that collects its own work: on whoever does it, on what it looks at, and on what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.model.result import Outcome
from runner.model.spec import Role, SandboxSpec
from runner.sandbox.docker_engine import DockerBox
from tests.hostile.test_resources import python
from tests.integration.cli import WORK, show
from tests.integration.library import Library
from tests.unit.repo.sources import git

pytestmark = pytest.mark.docker

INSIDE, BESIDE = [Role.SANDBOX], [Role.COLLECTOR, Role.SANDBOX]


@pytest.fixture
def roles(library: Library, monkeypatch: pytest.MonkeyPatch) -> list[Role]:
    """The containers that were made: a collector is among them where the sandbox did not do for it."""
    made: list[Role] = []
    create = library.engine.create

    def seen(spec: SandboxSpec, secrets: Mapping[str, str]) -> DockerBox:
        made.append(spec.role)
        return create(spec, secrets)

    monkeypatch.setattr(library.engine, "create", seen)
    return made


def policy_with(folder: Path, *lines: str) -> Path:
    policy = folder / "policy.toml"
    policy.write_text("\n".join(['extends = "offline"', *lines]), encoding="utf-8")
    return policy


def test_a_sandbox_hands_over_what_an_agent_left_in_every_form(
    library: Library, repository: Path, roles: list[Role]
) -> None:
    result = library.run(repository, f"{WORK}\necho half >half.txt\ngit branch side\ngit checkout -q --detach\nexit 7")

    assert (result.outcome, roles, result.leaks) == (Outcome.AGENT_FAILED, INSIDE, ())
    assert show(repository, result.branch, "half.txt") == "half"


# ---- whoever is left


STUBBORN = python("""
import os, signal, sys, time
for number in range(20):
    if os.fork() == 0:
        os.setsid()
        for each in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(each, signal.SIG_IGN)
        if number % 2:
            os.kill(os.getpid(), signal.SIGSTOP)
        while True:
            open("/workspace/late-%d" % number, "a").write("late\\n")
            if os.fork():
                os._exit(0)
time.sleep(0.3)
""")


def test_nobody_who_stayed_writes_into_what_is_collected(library: Library, repository: Path, roles: list[Role]) -> None:
    result = library.run(repository, f"{WORK}\n{STUBBORN}")

    assert (result.outcome, roles, result.leaks) == (Outcome.COMPLETED, INSIDE, ())
    names = git(repository, "ls-tree", "--name-only", result.branch).split()
    assert [name for name in names if name.startswith("late-")], "they were at work until the end"


BOMB = python("""
import os, sys
if os.fork():
    sys.exit()
os.setsid()
while True:
    try:
        os.fork()
    except OSError:
        pass
""")


def test_a_fork_bomb_is_over_before_anything_is_looked_at(
    library: Library, repository: Path, roles: list[Role], tmp_path: Path
) -> None:
    policy = policy_with(tmp_path, "[limits]", "pids = 100")

    result = library.run(repository, f"{WORK}\n{BOMB}\nsleep 0.5", policy=policy)

    assert (roles, result.leaks) == (INSIDE, ())
    assert show(repository, result.branch, "committed") == "committed"


# ---- the first process, and its connection


TAMPER = python("""
import ctypes, os, signal, socket
def word(name, act):
    try:
        act()
        print(name, "ok", flush=True)
    except OSError as error:
        print(name, type(error).__name__, flush=True)
libc = ctypes.CDLL(None, use_errno=True)
def checked(value):
    if value == -1:
        raise OSError(ctypes.get_errno(), "")
word("memory", lambda: open("/proc/1/mem", "r+b"))
word("descriptors", lambda: os.listdir("/proc/1/fd"))
word("environment", lambda: open("/proc/1/environ", "rb").read())
word("trace", lambda: checked(libc.ptrace(16, 1, 0, 0)))
word("take", lambda: checked(libc.syscall(438, os.pidfd_open(1), 3, 0)))
word("collector", lambda: open("/paddock/collector/collecting.py", "a"))
word("cache", lambda: os.mkdir("/paddock/collector/x"))
word("shim", lambda: open("/paddock/inside/shim_collect.py", "a"))
word("git", lambda: open("/usr/bin/git", "a"))
for number in (signal.SIGKILL, signal.SIGSTOP):
    os.kill(1, number)
try:
    with socket.socket(socket.AF_UNIX) as forged:
        forged.settimeout(2)
        forged.connect("/paddock/control/launch.sock")
        forged.sendall(b"{\\"ended\\": true, \\"killed_for_memory\\": 0}\\n")
        print("answer", forged.recv(100), flush=True)
except OSError as error:
    print("answer", type(error).__name__, flush=True)
""")


def test_the_first_process_and_its_connection_are_out_of_reach(
    library: Library, repository: Path, roles: list[Role]
) -> None:
    result = library.run(repository, f"{WORK}\n{TAMPER}")

    said = dict(line.split(" ", 1) for line in Path(result.paths["log"]).read_text().splitlines())
    refused = {name: word for name, word in said.items() if word in {"PermissionError", "OSError"}}
    assert refused.keys() == said.keys() - {"answer"}, said
    assert said["answer"] in {"TimeoutError", "ConnectionRefusedError", "FileNotFoundError"}
    assert (result.outcome, roles) == (Outcome.COMPLETED, INSIDE)
    assert show(repository, result.branch, "committed") == "committed"


@pytest.mark.parametrize(
    "limits", [("FSIZE", 0), ("NOFILE", 3), ("AS", 2**20), ("NPROC", 0), ("DATA", 0)], ids=lambda each: each[0]
)
def test_limits_that_were_put_on_the_first_process_lose_nothing(
    library: Library, repository: Path, roles: list[Role], limits: tuple[str, int]
) -> None:
    name, value = limits
    lowered = python(f"import resource; resource.prlimit(1, resource.RLIMIT_{name}, ({value}, {value}))")

    result = library.run(repository, f"{WORK}\n{lowered}\necho left >left.txt")

    assert (result.outcome, result.agent_exit_code) == (Outcome.COMPLETED, 0), (
        "the kernel lets one of the same user do it"
    )
    assert sorted(roles) in (INSIDE, BESIDE)
    assert Path(result.paths["log"]).read_text() == ""
    assert show(repository, result.branch, "left.txt") == "left"


# ---- what it needs


def test_a_sandbox_full_to_the_brim_loses_nothing(
    library: Library, repository: Path, roles: list[Role], tmp_path: Path
) -> None:
    policy = policy_with(tmp_path, "[limits]", 'memory = "256MiB"')
    script = f"{WORK}\nhead -c 200M /dev/zero >/tmp/full 2>/dev/null\nhead -c 20M /dev/urandom >large"

    result = library.run(repository, script, policy=policy)

    assert (result.outcome, sorted(roles)) == (Outcome.COMPLETED, BESIDE)
    assert git(repository, "cat-file", "-s", f"{result.branch}:large") == str(20 * 2**20)


def test_what_would_have_to_be_moved_is_left_to_a_container_that_has_the_time(
    library: Library, repository: Path, roles: list[Role]
) -> None:
    nested = "git init -q sub; cd sub; echo p >p; git add p; git commit -qm p; cd ..; git add sub 2>/dev/null"

    result = library.run(repository, f"{WORK}\n{nested}; git commit -qm s")

    assert (result.outcome, sorted(roles)) == (Outcome.COMPLETED, BESIDE)
    assert show(repository, result.branch, "sub/p") == "p"
    assert ".paddock-aside" not in git(repository, "ls-tree", "-r", "--name-only", result.branch)
    assert any("sub is a repository of its own" in notice for notice in result.notices), result.notices


def test_where_somebody_was_killed_for_memory_another_container_collects(
    library: Library, repository: Path, roles: list[Role], tmp_path: Path
) -> None:
    policy = policy_with(tmp_path, "[limits]", 'memory = "128MiB"')
    greedy = python('x = bytearray(); [x.extend(b"x" * 1000000) for _ in range(1000)]')

    result = library.run(repository, f"{WORK}\n{greedy} || true", policy=policy)

    assert sorted(roles) == BESIDE
    assert show(repository, result.branch, "committed") == "committed"


def test_no_program_of_the_agents_is_started(library: Library, repository: Path, roles: list[Role]) -> None:
    plant = """
mkdir -p $HOME/bin /tmp/bin $HOME/.local/lib/python3.11/site-packages $HOME/.config/git /workspace/hooks
printf '#!/bin/sh\\necho fired >>/workspace/fired\\nexec /usr/bin/git "$@"\\n' >/tmp/bin/git
chmod +x /tmp/bin/git; cp /tmp/bin/git $HOME/bin/git; cp /tmp/bin/git /workspace/git; cp /tmp/bin/git /tmp/git
for name in sitecustomize usercustomize json subprocess request report; do
    for place in /tmp /workspace $HOME $HOME/.local/lib/python3.11/site-packages; do
        echo 'open("/workspace/fired", "a").write("fired")' >$place/$name.py
    done
done
git config --global core.fsmonitor /tmp/bin/git; git config --global core.hooksPath /workspace/hooks
git config --global alias.add '!/tmp/bin/git'
cp $HOME/.gitconfig $HOME/.config/git/config
git config core.fsmonitor /tmp/bin/git; git config filter.x.clean /tmp/bin/git; echo '* filter=x' >.gitattributes
echo left >left.txt
"""
    result = library.run(repository, f"{WORK}\n{plant}")

    assert (result.outcome, roles) == (Outcome.COMPLETED, INSIDE)
    names = git(repository, "ls-tree", "--name-only", result.branch).split()
    assert "left.txt" in names
    assert "fired" not in names


# ---- where it is not done


def test_an_agent_that_was_asked_to_end_hands_nothing_over(
    library: Library, repository: Path, roles: list[Role], tmp_path: Path
) -> None:
    policy = policy_with(tmp_path, "[limits]", 'wall_clock = "2s"', 'grace = "20s"')

    result = library.run(repository, f"{WORK}\nsleep 100", policy=policy)

    assert (result.outcome, sorted(roles)) == (Outcome.TIMED_OUT, BESIDE)
    assert show(repository, result.branch, "committed") == "committed"


def test_an_agent_that_signals_the_first_process_gains_nothing(
    library: Library, repository: Path, roles: list[Role]
) -> None:
    result = library.run(repository, f"trap '' TERM INT\n{WORK}\nkill -TERM 1; kill -INT 1; sleep 0.2")

    assert (result.outcome, sorted(roles)) == (Outcome.COMPLETED, BESIDE)


@pytest.mark.parametrize(
    "lines",
    [
        ("[sandbox]", "writable_root = true"),
        ("[[caches]]", 'name = "x"', 'target = "/usr/local/cache"'),
    ],
    ids=["a-root-that-can-be-written", "a-cache-among-the-programs"],
)
def test_what_an_agent_could_have_changed_collects_nothing(
    library: Library, repository: Path, roles: list[Role], tmp_path: Path, lines: tuple[str, ...]
) -> None:
    result = library.run(repository, WORK, policy=policy_with(tmp_path, *lines))

    assert (result.outcome, sorted(roles)) == (Outcome.COMPLETED, BESIDE)
