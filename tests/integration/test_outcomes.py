"""Every way in which a run can end: its outcome, its exit code, and that the work is there after each of them."""

from __future__ import annotations

import json
import signal
from pathlib import Path
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
        "for i in 1 2 3 4; do head -c 15000000 /dev/urandom > big$i; done; exec sleep 60",
        'disk = "20MiB"',
        "disk-exceeded",
        14,
        137,
        "limits.disk = 20MiB",
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
        *("task.json", "policy.json", "spec.json", "result.json"),
        *("events.jsonl", "agent.log", "changes.bundle", "diff.patch"),
    }


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    from runner.report.policy_doc import RunResult  # noqa: F401 - the schema is asked for on the command line below

    return {}


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
