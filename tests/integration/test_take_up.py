"""A Paddock that was killed while its agent works: another one takes the run up, or the sandbox ends by itself."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from docker import APIClient

from tests.integration.agents_user import User, says
from tests.integration.cli import WORK, Paddock, branches, finish, outside_of_paddock, show, under_way, until

pytestmark = pytest.mark.docker

SPEAKS = f"echo ready; sleep 3; echo later; {WORK}; echo done"


def killed(paddock: Paddock, *argv: str | Path, after: float = 0.0) -> str:
    """A run whose Paddock is killed with SIGKILL when the agent has said `ready`, some seconds later; its id."""
    with under_way(paddock.started("run", *argv)) as process:
        time.sleep(after)
        process.kill()
        process.wait()
    return max((paddock.state / "runs").iterdir()).name


def sandboxes(client: APIClient, run: str) -> int:
    """How many sandboxes of a run are alive."""
    return len(client.containers(filters={"label": [f"paddock.run={run}", "paddock.role=sandbox"]}))


def test_an_agent_at_work_is_taken_up_and_nothing_is_lost_or_doubled(paddock: Paddock, repository: Path) -> None:
    before = outside_of_paddock(repository)
    run = killed(paddock, repository, "--", "sh", "-c", SPEAKS)
    done = paddock("recover")

    assert (done.code, done.out) == (0, f"{run}: completed, paddock/{run}\n")
    assert f"{run}: its agent is at work" in done.err
    assert paddock.good("logs", run) == "ready\nlater\ndone\n"
    assert show(repository, f"paddock/{run}", "left") == "left"
    assert outside_of_paddock(repository) == before
    document = json.loads(paddock.good("show", run, "--json"))
    assert (document["leaks"], document["agent_exit_code"]) == ([], 0)
    assert 3.0 < document["limits"]["wall_clock"]["peak"] < 60
    assert paddock.good("recover") == "nothing to recover\n"


def test_several_agents_are_watched_side_by_side(paddock: Paddock, repository: Path) -> None:
    policy = paddock.policy('[limits]\nwall_clock = "6s"\ngrace = "1s"')
    runs = []
    for name in ("one", "two", "three"):
        argv = ("run", repository, "--name", name, "--policy", policy, "--", "sh", "-c", f"echo {name}; sleep 60")
        with under_way(paddock.started(*argv, said=name)) as process:
            process.kill()
            process.wait()
        runs.append(name)
    begin = time.monotonic()
    done = paddock("recover")

    assert done.code == 0
    assert done.out.count("timed-out") == 3
    assert time.monotonic() - begin < 15, "one after the other they would take longer"


def test_recover_stop_ends_an_agent_at_work(paddock: Paddock, repository: Path) -> None:
    run = killed(paddock, repository, "--", "sh", "-c", f"{WORK}; echo ready; exec sleep 60")
    assert paddock.good("recover", run, "--stop") == f"{run}: cancelled, paddock/{run}\n"


def test_a_run_tells_of_those_that_lost_their_paddocks(paddock: Paddock, repository: Path) -> None:
    run = killed(paddock, repository, "--", "sh", "-c", "echo ready; sleep 60")
    assert (
        f"The Paddock of {run} died; `paddock recover` takes up what it left."
        in paddock("run", repository, "--", "true").err
    )
    assert "`paddock recover` takes up what they left" in paddock("ps").err
    assert paddock("recover", "--stop").code == 0


STUBBORN = """
import os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
for number in (signal.SIGSTOP, signal.SIGKILL, signal.SIGSTOP):
    try: os.kill(1, number)
    except OSError: pass
os.fork()
print("ready", flush=True)
while True: time.sleep(1)
"""
TRACER = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
traced = libc.ptrace(ctypes.c_long(16), ctypes.c_long(1), None, None)
reason = ctypes.get_errno()
try: memory = bool(os.open("/proc/1/mem", os.O_RDWR))
except OSError: memory = False
child = os.fork()
if child == 0:
    import time; time.sleep(30); os._exit(0)
control = libc.ptrace(ctypes.c_long(16), ctypes.c_long(child), None, None)
print(f"traced={traced} memory={memory} own-child={control}")
os.kill(child, 9)
"""


@pytest.mark.parametrize("mode", ["none", "allow"])
def test_a_sandbox_that_nobody_watches_ends_at_its_deadline_whatever_the_agent_does(
    mode: str, paddock: Paddock, repository: Path, docker_client: APIClient
) -> None:
    network = '\n[network]\nmode = "allow"\nallow = ["www.example.test"]' if mode == "allow" else ""
    policy = paddock.policy(f'[limits]\nwall_clock = "2s"\ngrace = "1s"{network}')
    begin = time.monotonic()
    run = killed(paddock, repository, "--policy", policy, "--", "python3", "-c", STUBBORN)
    assert sandboxes(docker_client, run) == 1
    until(lambda: sandboxes(docker_client, run) == 0)
    took = time.monotonic() - begin
    done = paddock("recover", run)

    assert 17.0 < took < 40.0, "2 s, 1 s of grace, 10 s until it ends by itself, 5 s for the agent to end politely"
    assert done.out == f"{run}: timed-out\n"
    document = json.loads(paddock.good("show", run, "--json"))
    assert (document["exit_code"], document["agent_exit_code"]) == (11, 124)
    assert "nobody has ended this sandbox" in paddock.good("logs", run)


def test_the_agent_cannot_trace_or_write_to_what_holds_its_deadline(paddock: Paddock, repository: Path) -> None:
    run = paddock.run(repository, f"python3 -c '{TRACER}'")
    assert paddock.good("logs", run["id"]) == "traced=-1 memory=False own-child=0\n"


def test_orphans_of_the_agent_leave_no_zombies(paddock: Paddock, repository: Path) -> None:
    script = (
        "for i in $(seq 20); do (sh -c 'sleep 0.1 &') ; done; sleep 1; grep -l '^State:.Z' /proc/[0-9]*/status | wc -l"
    )
    run = paddock.run(repository, script)
    assert paddock.good("logs", run["id"]) == "0\n"


def test_a_directory_and_containers_of_no_run_are_removed_and_told(
    paddock: Paddock, repository: Path, docker_client: APIClient
) -> None:
    run = killed(paddock, repository, "--", "sh", "-c", "echo ready; sleep 60")
    (paddock.state / "runs" / "2026-01-01-half-made-aaaa").mkdir()
    paddock("recover", "--stop")  # so that the ledger is there
    assert branches(repository) == []
    labels = {"paddock.run": "gone", "paddock.role": "sandbox", "paddock.state": str(paddock.state)}
    image = json.loads((paddock.state / "runs" / run / "spec.json").read_text())["image"]["id"]
    made = docker_client.create_container(image, ["true"], labels=labels, name=f"paddock-gone-{run}")
    time.sleep(1.1)
    (paddock.state / "runs" / "2026-01-01-half-made-bbbb").mkdir()
    time.sleep(1.1)
    said = paddock.good("recover").splitlines()

    assert f"removed container paddock-gone-{run}" in said
    assert "removed directory 2026-01-01-half-made-bbbb, half made" in said
    assert not docker_client.containers(all=True, filters={"id": made["Id"]})
    assert [path.name for path in (paddock.state / "runs").iterdir()] == [run]


def test_ctrl_c_on_recover_ends_the_agent_and_collects(paddock: Paddock, repository: Path) -> None:
    run = killed(paddock, repository, "--", "sh", "-c", f"{WORK}; echo ready; exec sleep 60")
    with under_way(paddock.popen("recover")) as process:
        until(lambda: paddock("ps").out.count("running:agent"))
        process.terminate()
        done = finish(process)
    assert done.out == f"{run}: cancelled, paddock/{run}\n"


# --- with a network -----------------------------------------------------------------------------------------------

ASKS = """
import json, sys, time, urllib.error, urllib.request
body = {"model": "claude-sonnet-4-5", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}
def ask():
    request = urllib.request.Request("http://api.anthropic.com/v1/messages", json.dumps(body).encode(),
        {"content-type": "application/json", "anthropic-version": "2023-06-01"})
    return urllib.request.urlopen(request, timeout=10).status
print(ask(), "ready", flush=True)
time.sleep(3)
while True:
    try: print(ask(), "again", flush=True); break
    except OSError as error: time.sleep(0.2)
"""
INJECTS = """
[network]
mode = "allow"
[[network.inject]]
host = "api.anthropic.com"
header = "x-api-key"
secret = "ANTHROPIC_API_KEY"
"""


def test_a_gateway_is_opened_again_and_counts_on(user: User) -> None:
    paddock = user.paddock
    with user.model(says("hello")):
        argv = (user.repository, "--policy", paddock.policy(INJECTS), "--", "python3", "-c", ASKS)
        run = killed(paddock, *argv, after=1.0)  # what was used is written down a few times a second
        done = paddock("recover")
    document = json.loads(paddock.good("show", run, "--json"))

    assert done.out == f"{run}: no-changes\n", done.err
    assert paddock.good("logs", run) == "200 ready\n200 again\n"
    assert [row["requests"] for row in document["spent"]] == [2]
    assert document["leaks"] == []


def test_without_the_secret_that_its_gateway_adds_an_agent_is_ended_and_its_work_collected(user: User) -> None:
    paddock = user.paddock
    with user.model(says("hello")):
        script = f"{WORK}; python3 -c '{ASKS}'"
        run = killed(paddock, user.repository, "--policy", paddock.policy(INJECTS), "--", "sh", "-c", script)
        key = paddock.variables.pop("ANTHROPIC_API_KEY")
        done = paddock("recover")
    document = json.loads(paddock.good("show", run, "--json"))

    assert (done.code, done.out) == (0, f"{run}: cancelled, paddock/{run}\n")
    assert "could not be opened again" in " ".join(document["notices"])
    assert "ANTHROPIC_API_KEY" in " ".join(document["notices"])
    assert paddock.good("logs", run) == "200 ready\n"
    assert key not in json.dumps(document)
