"""Attacks on what a run may use up: each works under a wide limit, the control leg, and ends under a narrow one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient
from docker.types import Ulimit

from runner.model.result import Outcome, RunResult
from tests.integration.cli import WORK, Paddock, show
from tests.integration.library import Library
from tests.unit.repo.sources import git

pytestmark = pytest.mark.docker

MIB = 2**20


def python(code: str) -> str:
    """A shell command that runs Python code, which holds no single quote."""
    return f"python3 -c '{code.strip()}'"


def attack(library: Library, repository: Path, script: str, folder: Path, **limits: Any) -> tuple[RunResult, str]:
    """The result of one leg and what the agent printed; what it did before the attack has to come out."""
    policy = folder / "policy.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in limits.items()]
    policy.write_text("\n".join(['extends = "offline"', "[limits]", *lines]))
    result = library.run(repository, f"{WORK}\n{script}", policy=policy)

    assert result.leaks == ()
    assert show(repository, result.branch, "committed") == "committed", result.reason
    return result, Path(result.paths["log"]).read_text(errors="replace")


# --- 95: processes ------------------------------------------------------------------------------------------------

FORKS = python("""
import os, time
children = []
try:
    while len(children) < 200:
        child = os.fork()
        if not child:
            time.sleep(30)
            os._exit(0)
        children.append(child)
except OSError as error:
    print(error.strerror)
print(len(children), "forked", flush=True)
os._exit(0)
""")
BOMB = python("""
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
""")


def test_forks_end_at_the_limit_and_no_earlier(library: Library, repository: Path, tmp_path: Path) -> None:
    free, said = attack(library, repository, FORKS, tmp_path, pids=512)
    assert (free.outcome, said) == (Outcome.COMPLETED, "200 forked\n")

    bound, said = attack(library, repository, FORKS, tmp_path, pids=64)
    reason, count = said.splitlines()
    assert (bound.outcome, reason) == (Outcome.COMPLETED, "Resource temporarily unavailable")
    assert 50 < int(count.split()[0]) < 64


def test_a_fork_bomb_is_held_and_ended(library: Library, repository: Path, tmp_path: Path) -> None:
    begin = time.monotonic()
    result, _ = attack(library, repository, BOMB, tmp_path, pids=64, cpus=0.5, wall_clock="2s", grace="1s")

    assert result.outcome is Outcome.TIMED_OUT
    assert (result.limits["pids"].peak, result.limits["pids"].hit) == (64, True)
    assert time.monotonic() - begin < 40


# --- 96: memory ---------------------------------------------------------------------------------------------------

HOG = python("import time; b = bytearray(300 * 2**20); time.sleep(3); print(len(b) // 2**20)")


def test_memory_ends_at_the_limit_and_there_is_no_swap(library: Library, repository: Path, tmp_path: Path) -> None:
    free, said = attack(library, repository, HOG, tmp_path, memory="1GiB")
    assert (free.outcome, said) == (Outcome.COMPLETED, "300\n")
    assert (free.limits["memory"].peak or 0) > 300 * MIB

    bound, said = attack(library, repository, f"exec {HOG}", tmp_path, memory="128MiB")
    assert (bound.outcome, bound.agent_exit_code, said) == (Outcome.OUT_OF_MEMORY, 137, "")
    assert bound.limits["memory"].hit
    assert (bound.limits["memory"].peak or 0) <= 128 * MIB


def test_memory_file_systems_end_at_their_size(library: Library, repository: Path, tmp_path: Path) -> None:
    fill = "for d in /tmp $HOME /dev/shm; do head -c 100M /dev/zero > $d/x && echo $d filled; rm -f $d/x; done; exit 0"
    free, said = attack(library, repository, fill, tmp_path, memory="1GiB")
    assert said.splitlines()[:2] == ["/tmp filled", "/home/agent filled"]

    bound, said = attack(library, repository, fill, tmp_path, memory="128MiB")
    assert (free.outcome, bound.outcome) == (Outcome.COMPLETED, Outcome.COMPLETED)
    assert "filled" not in said
    assert said.count("No space left on device") == 3


def test_empty_files_in_memory_are_bound_too(library: Library, repository: Path, tmp_path: Path) -> None:
    many = python("""
import os
for number in range(100000):
    try:
        os.close(os.open(f"/tmp/{number}", os.O_CREAT))
    except OSError as error:
        print(error.strerror)
        break
print(number + 1, flush=True)
""")
    free, said = attack(library, repository, many, tmp_path, memory="1GiB")
    assert (free.outcome, said) == (Outcome.COMPLETED, "100000\n")

    bound, said = attack(library, repository, f"exec {many}", tmp_path, memory="48MiB")
    assert bound.outcome is Outcome.OUT_OF_MEMORY or "No space left on device" in said


# --- 97: CPU ------------------------------------------------------------------------------------------------------

BURN = python("""
import os, time
end = time.monotonic() + 3
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        while time.monotonic() < end:
            pass
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
times = os.times()
print(times.children_user + times.children_system)
""")


def test_a_burner_gets_its_share_and_no_more(library: Library, repository: Path, tmp_path: Path) -> None:
    _, free = attack(library, repository, BURN, tmp_path, cpus=2)
    _, bound = attack(library, repository, BURN, tmp_path, cpus=0.2)

    assert float(bound) < 0.2 * 3 * 1.5
    assert float(free) > float(bound) * 1.5


# --- 99, 100: disk ------------------------------------------------------------------------------------------------


def test_inodes_end_at_the_limit(library: Library, repository: Path, tmp_path: Path) -> None:
    many = "mkdir many && seq -f many/%g 1 4000 | xargs touch && echo all there && sleep 1.5"
    free, said = attack(library, repository, f"{many}; rm -rf many", tmp_path, files=10_000)
    assert (free.outcome, said) == (Outcome.COMPLETED, "all there\n")

    bound, _ = attack(library, repository, f"{many}; exec sleep 60", tmp_path, files=2_000)
    assert (bound.outcome, bound.limits["files"].hit) == (Outcome.DISK_EXCEEDED, True)


def test_one_file_cannot_be_larger_than_the_disk_however_little_it_holds(
    library: Library, repository: Path, tmp_path: Path
) -> None:
    sparse = python("""
import os
handle = os.open("sparse", os.O_CREAT | os.O_RDWR)
try:
    os.truncate(handle, 2**40)
    print("made")
except OSError as error:
    print(error.strerror)
os.unlink("sparse")
""")
    free, said = attack(library, repository, sparse, tmp_path, disk="2TiB")
    assert (free.outcome, said) == (Outcome.COMPLETED, "made\n")

    bound, said = attack(library, repository, sparse, tmp_path, disk="100MiB")
    assert (bound.outcome, said) == (Outcome.COMPLETED, "File too large\n")


def test_sparse_files_are_collected_without_filling_the_disk(
    library: Library, repository: Path, tmp_path: Path
) -> None:
    result, _ = attack(library, repository, "for i in 1 2 3; do truncate -s 40M s$i; done", tmp_path, disk="50MiB")

    assert result.outcome is Outcome.COMPLETED
    assert (result.limits["disk"].peak or 0) < 20 * MIB
    assert git(repository, "cat-file", "-s", f"{result.branch}:s1") == str(40 * MIB)
    assert Path(result.paths["bundle"]).stat().st_size < MIB


# --- 101: descriptors ---------------------------------------------------------------------------------------------

DESCRIPTORS = python("""
import os
count = 0
try:
    while count < 18000:
        os.open("/dev/null", os.O_RDONLY)
        count += 1
except OSError as error:
    print(error.strerror)
print(count)
""")


def test_descriptors_end_at_the_limit(
    library: Library, repository: Path, tmp_path: Path, docker_client: APIClient
) -> None:
    image = library.engine.image("").ref.name
    open_one = docker_client.create_container(
        image,
        ["sh", "-c", DESCRIPTORS],
        labels={"paddock.role": "test"},
        network_disabled=True,
        host_config=docker_client.create_host_config(
            ulimits=[Ulimit(name="nofile", soft=18_100, hard=18_100)], network_mode="none"
        ),
    )
    try:
        docker_client.start(open_one["Id"])
        docker_client.wait(open_one["Id"])
        assert docker_client.logs(open_one["Id"]) == b"18000\n"
    finally:
        docker_client.remove_container(open_one["Id"], force=True)

    _, said = attack(library, repository, DESCRIPTORS, tmp_path)
    reason, count = said.splitlines()
    assert reason == "Too many open files"
    assert 16_000 < int(count) < 16_384


# --- 102: output --------------------------------------------------------------------------------------------------


def flood(paddock: Paddock, repository: Path, script: str, limit: str) -> tuple[int, int]:
    """Exit code and peak memory in bytes of the Paddock process through which a flood goes."""
    policy = paddock.policy(f'[limits]\noutput = "{limit}"')
    argv = ["run", repository, "--policy", policy, "--name", "flood", "--", "sh", "-c", script]
    with subprocess.Popen(
        [paddock.python, "-m", "runner", *map(str, argv)],
        cwd=paddock.folder,
        env=paddock.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, high_water_mark(process.pid))
            time.sleep(0.02)
    assert peak > 0
    return process.returncode, peak


def high_water_mark(pid: int) -> int:
    """A process's peak memory in bytes. Its `ru_maxrss` would begin with that of the tests, who forked it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)


@pytest.mark.timeout(240)
def test_one_line_of_a_gigabyte_goes_through_in_constant_memory(paddock: Paddock, repository: Path) -> None:
    code, peak = flood(paddock, repository, f"{WORK}; head -c 1G /dev/zero", "2GiB")
    log = paddock.only_run() / "agent.log"
    size = log.stat().st_size
    log.unlink()

    assert (code, size) == (0, 2**30)
    assert peak < 100 * MIB


def test_a_flood_of_anything_is_cut_marked_and_ended(paddock: Paddock, repository: Path) -> None:
    noise = "while :; do head -c 1M /dev/urandom; printf '\\0\\377\\376\\033[2J'; done"
    code, peak = flood(paddock, repository, f"{WORK}; {noise}", "5MiB")
    log = (paddock.only_run() / "agent.log").read_bytes()

    assert code == 15
    assert peak < 100 * MIB
    assert log.endswith(b"\n[paddock: the output limit was reached; the rest was dropped]\n")
    assert 5 * MIB < len(log) < 5 * MIB + 200


# --- 104, 105: what does not want to end --------------------------------------------------------------------------


def test_an_agent_that_ignores_every_polite_signal_is_killed_after_the_grace(
    library: Library, repository: Path, tmp_path: Path
) -> None:
    loop = "while :; do sleep 0.1; done"
    polite, _ = attack(library, repository, loop, tmp_path, wall_clock="1s", grace="20s")
    assert (polite.outcome, polite.agent_exit_code) == (Outcome.TIMED_OUT, 143)
    assert (polite.limits["wall_clock"].peak or 0) < 15

    deaf = f"trap '' TERM INT HUP QUIT USR1 USR2; {loop}"
    rude, _ = attack(library, repository, deaf, tmp_path, wall_clock="1s", grace="1s")
    assert (rude.outcome, rude.agent_exit_code) == (Outcome.TIMED_OUT, 137)
    assert 2 <= (rude.limits["wall_clock"].peak or 0) < 15


def processes(mark: str) -> list[int]:
    """Processes of this machine that carry the mark on their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in entry.read_bytes() and entry.parent.name != str(os.getpid()):
                found.append(int(entry.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_daemons_are_gone_when_the_run_is_over(paddock: Paddock, repository: Path) -> None:
    mark = uuid.uuid4().hex
    daemon = python(f"""
import os, signal, time
mark = "{mark}"
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
for number in range(1, 65):
    if number not in (9, 19, 32, 33): signal.signal(number, signal.SIG_IGN)
while True:
    open("heartbeat", "a").write("x")
    time.sleep(0.02)
""")
    argv = ("run", repository, "--json", "--", "sh", "-c", f"{WORK}; {daemon}; echo ready; sleep 1")
    process = paddock.started(*argv)
    assert len(processes(mark)) >= 1, "it lives while the run does"
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    branch = re.search(r'"branch": "([^"]+)"', out)
    assert branch is not None
    beats = len(show(repository, branch[1], "heartbeat"))
    assert beats > 10
    assert processes(mark) == []


def test_a_daemon_that_holds_the_output_open_does_not_hold_the_run(
    library: Library, repository: Path, tmp_path: Path
) -> None:
    begin = time.monotonic()
    result, _ = attack(library, repository, "setsid sleep 300 & exit 0", tmp_path)

    assert result.outcome is Outcome.COMPLETED
    assert time.monotonic() - begin < 30


# --- 112: exit codes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1, 125, 126, 255])
def test_exit_codes_that_docker_uses_itself_stay_the_agents(
    code: int, library: Library, repository: Path, tmp_path: Path
) -> None:
    result, _ = attack(library, repository, f"exit {code}", tmp_path)

    assert (result.outcome, result.agent_exit_code) == (Outcome.AGENT_FAILED, code)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGTERM])
def test_a_signal_of_its_own_is_told_as_the_shell_does(
    number: signal.Signals, library: Library, repository: Path, tmp_path: Path
) -> None:
    result, _ = attack(library, repository, f"kill -{number.value} $$", tmp_path)

    assert (result.outcome, result.agent_exit_code) == (Outcome.AGENT_FAILED, 128 + number.value)
