"""Every way in which a run can end: its outcome, its exit code, and that the work is there after each of them."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any, NamedTuple

import pytest

from tests.integration.cli import SUBJECTS, WORK, Paddock, branches, finish, outside_of_paddock, show, under_way
from tests.integration.json_schema import faults
from tests.unit.repo.sources import git

pytestmark = pytest.mark.docker

EAT = "python3 -c 'b = bytearray(600 * 2**20)'"


class Ending(NamedTuple):
    """One way to end, after the work is done."""

    script: str
    policy: str
    outcome: str
    exit_code: int
    agent: int
    reason: str = ""


ENDINGS = {
    "success": Ending("exit 0", "", "completed", 0, 0),
    "failure": Ending("exit 7", "", "agent-failed", 10, 7, "exit code 7"),
    "not-found": Ending("exec /nothing/there", "", "agent-failed", 10, 127),
    "killed-itself": Ending("kill -KILL $$", "", "agent-failed", 10, 137, "exit code 137"),
    "said-137": Ending("exit 137", "", "agent-failed", 10, 137, "exit code 137"),
    "time-out": Ending(
        "while :; do echo .; sleep 0.2; done",
        'wall_clock = "1500ms"',
        "timed-out",
        11,
        143,
        "limits.wall_clock = 1s500ms",
    ),
    "silence": Ending("exec sleep 60", 'idle = "1s"', "idle", 12, 143, "limits.idle = 1s"),
    "memory": Ending(f"exec {EAT}", 'memory = "64MiB"', "out-of-memory", 13, 137, "limits.memory = 64MiB"),
    "disk": Ending(
        "for i in 1 2 3 4; do head -c 6000000 /dev/urandom > big$i; done; exec sleep 60",
        'disk = "8MiB"',
        "disk-exceeded",
        14,
        137,
        "limits.disk = 8MiB",
    ),
    "files": Ending(
        "mkdir many; seq -f many/%g 1 2000 | xargs touch; exec sleep 60", "files = 500", "disk-exceeded", 14, 137
    ),
    "output": Ending("exec yes", 'output = "1MiB"', "output-exceeded", 15, 137, "limits.output = 1MiB"),
}


def assert_the_work_came_out(document: dict[str, Any], repository: Path) -> None:
    assert document["branch"] == f"paddock/{document['id']}"
    assert branches(repository) == [document["branch"]]
    assert show(repository, document["branch"], "committed") == "committed"
    assert show(repository, document["branch"], "left") == "left"
    assert [commit["subject"] for commit in document["commits"]] == SUBJECTS
    assert document["uncommitted_collected"]
    assert git(repository, "rev-parse", document["branch"]) == document["head"]


def assert_nothing_is_left(document: dict[str, Any]) -> None:
    assert document["leaks"] == []
    kept = {entry.name for entry in Path(document["paths"]["run"]).iterdir()}
    assert kept <= {
        *("task.json", "policy.json", "policy_files.json", "spec.json", "record.json", "result.json"),
        *("events.jsonl", "agent.log", "changes.bundle", "diff.patch"),
    }


@pytest.mark.parametrize("ending", ENDINGS)
def test_work_is_collected_whatever_the_end(ending: str, paddock: Paddock, repository: Path) -> None:
    case = ENDINGS[ending]
    before = outside_of_paddock(repository)
    policy = paddock.policy(f"[limits]\n{case.policy}")
    document = paddock.run(repository, f"{WORK}\n{case.script}", "--policy", policy)

    assert (document["outcome"], document["exit_code"]) == (case.outcome, case.exit_code), document["reason"]
    assert document["agent_exit_code"] == case.agent
    assert document["reason"].startswith(case.reason)
    assert_the_work_came_out(document, repository)
    assert_nothing_is_left(document)
    assert outside_of_paddock(repository) == before


def test_the_document_fits_its_schema_and_stands_alone_on_stdout(paddock: Paddock, repository: Path) -> None:
    schema = json.loads(paddock.good("policy", "schema", "--result"))
    done = paddock("run", repository, "--json", "--", "sh", "-c", f"{WORK}; echo to the first; echo to the second >&2")

    assert list(faults(done.document, schema, schema)) == []
    assert "to the first\n" in done.err
    assert "to the second\n" in done.err
    assert "\x1b" not in done.err
    stored = json.loads(Path(done.document["paths"]["run"], "result.json").read_text())
    assert stored == done.document
    assert json.loads(paddock.good("show", "last", "--json")) == stored
    assert list(faults({**stored, "outcome": "splendid", "more": 1}, schema, schema)) != []


def test_the_document_tells_what_was_granted_and_what_was_used(paddock: Paddock, repository: Path) -> None:
    policy = paddock.policy('[limits]\nmemory = "256MiB"\npids = 64\nwall_clock = "1m"')
    use = "python3 -c 'import time; b = bytearray(100 * 2**20); time.sleep(2.5)'"
    document = paddock.run(repository, f"{WORK}; printf 12345; {use}", "--policy", policy)
    limits = document["limits"]

    assert (limits["memory"]["granted"], limits["pids"]["granted"]) == (256 * 2**20, 64)
    assert 100 * 2**20 < limits["memory"]["peak"] <= 256 * 2**20
    assert 2 <= limits["pids"]["peak"] <= 64
    assert 2.5 < limits["wall_clock"]["peak"] < 30
    assert limits["output"]["peak"] == 5
    assert limits["disk"]["peak"] > 10_000
    assert limits["files"]["peak"] > 10
    assert [name for name, limit in limits.items() if limit["hit"]] == []
    assert document["usage"]["cpu_seconds"] > 0
    phases = {"prepare", "workspace", "sandbox", "agent", "stop", "collect", "gates", "import"}
    assert phases <= document["timings"].keys()
    assert all(document["digests"][name].startswith("sha256:") for name in ("policy", "spec", "image"))
    assert [(commit["files"], commit["insertions"]) for commit in document["commits"]] == [(1, 1), (1, 1)]
    assert {gate["verdict"] for gate in document["gates"]} == {"passed"}


def test_nothing_done_is_an_outcome_of_its_own(paddock: Paddock, repository: Path) -> None:
    document = paddock.run(repository, "true")
    assert (document["outcome"], document["exit_code"]) == ("no-changes", 0)
    assert (document["branch"], document["commits"], branches(repository)) == ("", [], [])

    expecting = paddock.run(repository, "true", "--expect-changes")
    assert (expecting["outcome"], expecting["exit_code"]) == ("no-changes", 3)


def test_a_killed_child_of_an_agent_that_succeeds_is_told_and_is_no_failure(paddock: Paddock, repository: Path) -> None:
    policy = paddock.policy('[limits]\nmemory = "64MiB"')
    document = paddock.run(repository, f"{WORK}; {EAT}; exit 0", "--policy", policy)

    assert (document["outcome"], document["agent_exit_code"]) == ("completed", 0)
    assert document["limits"]["memory"]["hit"]
    assert_the_work_came_out(document, repository)


def test_what_a_gate_blocks_stays_out_and_its_bundle_is_kept(paddock: Paddock, repository: Path) -> None:
    before = outside_of_paddock(repository)
    document = paddock.run(repository, f"{WORK}; ln -s file .gitattributes; git add -A; git commit -qm steering")

    assert (document["outcome"], document["exit_code"], document["agent_exit_code"]) == ("rejected", 20, 0)
    assert (document["branch"], branches(repository)) == ("", [])
    assert [gate["name"] for gate in document["gates"] if gate["verdict"] == "blocked"] == ["symlinks"]
    assert outside_of_paddock(repository) == before
    bundle = document["paths"]["bundle"]
    git(repository, "fetch", "-q", bundle, "+refs/paddock/*:refs/looked-at/*")
    assert show(repository, "refs/looked-at/primary", "committed") == "committed"


def test_what_is_refused_starts_nothing(paddock: Paddock, repository: Path) -> None:
    policy = paddock.policy("[limits]\ncost_usd = 1.0")
    document = paddock.run(repository, WORK, "--policy", policy)

    assert (document["outcome"], document["exit_code"], document["id"]) == ("refused", 30, "")
    assert "limits.cost_usd" in document["reason"]
    assert not (paddock.state / "runs").exists()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_cancelled_run_hands_its_work_over(name: str, paddock: Paddock, repository: Path) -> None:
    argv = ("run", repository, "--json", "--", "sh", "-c", f"{WORK}; echo ready; exec sleep 60")
    with under_way(paddock.started(*argv)) as process:
        process.send_signal(getattr(signal, name))
        done = finish(process)

    assert (done.code, done.document["outcome"], done.document["agent_exit_code"]) == (130, "cancelled", 143)
    assert_the_work_came_out(done.document, repository)
    assert_nothing_is_left(done.document)


def test_a_second_ctrl_c_ends_the_grace(paddock: Paddock, repository: Path) -> None:
    policy = paddock.policy('[limits]\ngrace = "60s"')
    script = f"trap '' TERM; {WORK}; echo ready; while :; do sleep 1; done"
    with under_way(
        paddock.started("run", repository, "--json", "--policy", policy, "--", "sh", "-c", script)
    ) as process:
        process.send_signal(signal.SIGINT)
        with pytest.raises(TimeoutExpired):
            process.wait(2)
        process.send_signal(signal.SIGINT)
        done = finish(process)

    assert (done.code, done.document["outcome"], done.document["agent_exit_code"]) == (130, "cancelled", 137)
    assert done.document["limits"]["wall_clock"]["peak"] < 20
    assert_the_work_came_out(done.document, repository)
