"""The commands around a run: look at it, follow it, end it, merge it, forget it."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from docker import APIClient

from tests.integration.cli import (
    SUBJECTS,
    WORK,
    Paddock,
    branches,
    finish,
    outside_of_paddock,
    show,
    under_way,
    until,
)
from tests.unit.repo.sources import commit, fingerprint, git

pytestmark = pytest.mark.docker

READY = f"{WORK}; printf '\\033[31mready\\n'; trap '' TERM; while :; do sleep 1; done"
IDENTITY = "[user]\n\tname = User\n\temail = user@example.com\n"


@pytest.fixture
def home(paddock: Paddock) -> Path:
    """A home whose git knows who the user is."""
    home = paddock.folder / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(IDENTITY)
    paddock.variables["HOME"] = str(home)
    return home


def test_a_run_can_be_listed_shown_read_and_removed(paddock: Paddock, repository: Path) -> None:
    assert "No runs yet." in paddock.good("ps", "-a")
    document = paddock.run(repository, f"{WORK}; echo said", "--name", "looked-at")
    run = document["id"]

    assert "Nothing is running" in paddock.good("ps")
    assert f"{run}  completed  command" in paddock.good("ps", "-a")
    (row,) = json.loads(paddock.good("ps", "-a", "--json"))
    assert (row["id"], row["state"], row["commits"], row["branch"]) == (run, "completed", 2, document["branch"])
    for name in (run, run[:-1], "looked-at", "last"):
        assert f"branch    {document['branch']}" in paddock.good("show", name)
    assert paddock.good("logs", run) == "said\n"
    assert "+++ b/committed\n@@ -0,0 +1 @@\n+committed\n" in paddock.good("diff", run)
    assert paddock.good("rm", run) == f"removed {run}\n"
    assert list((paddock.state / "runs").iterdir()) == []
    assert branches(repository) == [document["branch"]], "the branch is the user's now"
    assert paddock("show", run).code == 2


def test_a_patch_that_is_printed_can_be_applied(paddock: Paddock, repository: Path) -> None:
    document = paddock.run(repository, f"{WORK}; head -c 3000 /dev/urandom > binary; printf '\\033\\r\\n' > odd")
    patch = paddock.folder / "patch"
    done = paddock.popen("diff", document["id"])
    assert done.stdout is not None
    assert done.stderr is not None
    patch.write_bytes(done.stdout.buffer.read())  # type: ignore[attr-defined] # a text wrapper over a pipe
    done.wait()
    done.stdout.close()
    done.stderr.close()

    git(repository, "apply", "--index", str(patch))
    assert git(repository, "write-tree") == git(repository, "rev-parse", f"{document['branch']}^{{tree}}")


def test_a_run_under_way_can_be_watched_and_is_not_removed(paddock: Paddock, repository: Path) -> None:
    argv = ("run", repository, "--policy", paddock.policy('[limits]\ngrace = "1s"'), "--json", "--", "sh", "-c", READY)
    with under_way(paddock.started(*argv)) as process:
        run = paddock.only_run().name
        assert f"{run}  running:agent  command" in paddock.good("ps")
        assert "is in its phase 'agent'" in paddock("show", run).err
        refused = paddock("rm", run)
        assert (refused.code, "is still running" in refused.err) == (30, True)
        with under_way(paddock.popen("logs", "-f", run)) as following:
            process.send_signal(signal.SIGINT)
            assert finish(process).code == 130
            assert finish(following).out == "\x1b[31mready\n"


@pytest.mark.parametrize("now", [False, True])
def test_stop_ends_a_run_and_its_work_is_there(now: bool, paddock: Paddock, repository: Path) -> None:
    policy = paddock.policy(f'[limits]\ngrace = "{"60s" if now else "1s"}"')
    argv = ("run", repository, "--json", "--policy", policy, "--", "sh", "-c", READY)
    with under_way(paddock.started(*argv)) as process:
        run = paddock.only_run().name
        said = paddock.good("stop", run, *(["--now"] if now else []))
        document = finish(process).document

    assert said == f"{run}: cancelled, paddock/{run}\n"
    assert [entry["subject"] for entry in document["commits"]] == SUBJECTS
    assert document["agent_exit_code"] == 137
    over = paddock("stop", run)
    assert (over.code, "is over: cancelled" in over.err) == (2, True)


def test_the_work_of_a_paddock_that_was_killed_is_collected_by_the_next(
    paddock: Paddock, repository: Path, docker_client: APIClient
) -> None:
    before = outside_of_paddock(repository)
    with under_way(paddock.started("run", repository, "--", "sh", "-c", READY)) as process:
        process.kill()
        process.wait()
    run = paddock.only_run().name
    sandbox = {"label": [f"paddock.run={run}", "paddock.role=sandbox"]}

    assert len(docker_client.containers(filters=sandbox)) == 1, "the sandbox outlives its Paddock"
    assert f"{run}  orphaned" in paddock.good("ps")
    assert f"kept {run}" in paddock.good("prune"), "nothing is thrown away before it was collected"
    assert len(docker_client.containers(filters=sandbox)) == 1
    assert paddock.good("stop", run) == f"{run}: cancelled, paddock/{run}\n"
    document = json.loads(paddock.good("show", run, "--json"))
    assert [entry["subject"] for entry in document["commits"]] == SUBJECTS
    assert (document["exit_code"], document["leaks"]) == (130, [])
    assert "died" in document["notices"][-1]
    assert show(repository, document["branch"], "left") == "left"
    assert outside_of_paddock(repository) == before
    assert {"workspace", "in", "out", "etc", "control", "quarantine.git"}.isdisjoint(
        entry.name for entry in Path(document["paths"]["run"]).iterdir()
    )


def test_the_work_of_an_agent_that_ended_after_its_paddock_is_collected_too(
    paddock: Paddock, repository: Path, docker_client: APIClient
) -> None:
    script = f"{WORK}; echo ready; sleep 1"
    with under_way(paddock.started("run", repository, "--", "sh", "-c", script)) as process:
        process.kill()
        process.wait()
    run = paddock.only_run().name
    until(lambda: not docker_client.containers(filters={"label": f"paddock.run={run}"}))

    assert paddock.good("recover") == f"{run}: completed, paddock/{run}\n"
    assert paddock.good("recover") == "nothing to recover\n"
    assert show(repository, f"paddock/{run}", "committed") == "committed"


def test_prune_removes_what_nobody_owns_and_old_runs_when_asked(
    paddock: Paddock, repository: Path, docker_client: APIClient
) -> None:
    document = paddock.run(repository, "true")
    (paddock.state / "runs/2020-01-01-half-made-aaaa").mkdir()
    os.utime(paddock.state / "runs/2020-01-01-half-made-aaaa", (0, 0))
    labels = {"paddock.run": "gone", "paddock.role": "sandbox", "paddock.state": str(paddock.state)}
    image = next(tag for image in docker_client.images() for tag in image["RepoTags"] or () if "paddock/base" in tag)
    foreign = docker_client.create_container(image, ["true"], labels={**labels, "paddock.state": "/another"})
    docker_client.create_container(image, ["true"], labels=labels, name=f"paddock-gone-{document['id']}")
    try:
        expected = [f"container paddock-gone-{document['id']}", "directory 2020-01-01-half-made-aaaa"]
        assert paddock.good("prune", "--dry-run").splitlines() == expected
        assert paddock.good("prune").splitlines() == expected
        assert paddock.good("prune") == "nothing to remove\n"
        assert docker_client.inspect_container(foreign["Id"])["State"]["Status"] == "created"
    finally:
        docker_client.remove_container(foreign["Id"])
    assert paddock.good("prune", "--older-than", "1h") == "nothing to remove\n"
    assert paddock.good("prune", "--older-than", "1ms") == f"run {document['id']}\n"
    assert list((paddock.state / "runs").iterdir()) == []
    assert paddock("prune", "--older-than", "soon").code == 2


# --- merge --------------------------------------------------------------------------------------------------------


def test_merge_moves_the_branch_forward_where_that_is_possible(paddock: Paddock, repository: Path) -> None:
    document = paddock.run(repository, WORK)
    assert paddock.good("merge", document["id"]) == f"{document['head']}\n"

    assert git(repository, "rev-parse", "HEAD") == document["head"]
    assert git(repository, "status", "--porcelain") == ""
    assert (repository / "left").read_text() == "left\n"


def test_merge_makes_a_merge_commit_where_the_branch_has_moved(paddock: Paddock, repository: Path, home: Path) -> None:
    document = paddock.run(repository, WORK)
    (repository / "meanwhile").write_text("meanwhile\n")
    mine = commit(repository, "meanwhile")
    planted = repository / ".git/hooks/post-merge"
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(f"#!/bin/sh\ntouch {paddock.folder}/ran\n")
    planted.chmod(0o755)
    paddock.good("merge", document["id"])

    assert git(repository, "log", "-1", "--format=%P").split() == [mine, document["head"]]
    assert git(repository, "log", "-1", "--format=%an %ae") == "User user@example.com"
    assert not (paddock.folder / "ran").exists()
    assert {"meanwhile", "left", "committed"} <= {path.name for path in repository.iterdir()}


def test_a_merge_with_conflicts_leaves_everything_as_it_was(paddock: Paddock, repository: Path, home: Path) -> None:
    document = paddock.run(repository, "echo theirs > file; git commit -qam theirs")
    (repository / "file").write_text("ours\n")
    commit(repository, "ours")
    before = {path: text.rpartition(" ")[0] for path, text in fingerprint(repository).items()}
    done = paddock("merge", document["id"])
    after = {path: text.rpartition(" ")[0] for path, text in fingerprint(repository).items()}

    assert done.code == 30
    assert "cannot be merged into main" in done.err
    gone = {path for path in before if before[path] != after.get(path)}
    new = {path for path in after if path not in before and "/.git/objects/" not in path}
    assert {path.rpartition("/.git/")[2] for path in gone} <= {"index", "ORIG_HEAD", "logs/HEAD"}
    assert {Path(path).name for path in new} <= {"ORIG_HEAD", "AUTO_MERGE"}
    assert git(repository, "status", "--porcelain") == ""


@pytest.mark.parametrize("change", ["file", "unknown"])
def test_a_tree_that_is_not_clean_is_not_merged_into(change: str, paddock: Paddock, repository: Path) -> None:
    document = paddock.run(repository, WORK)
    (repository / change).write_text("mine\n")
    done = paddock("merge", document["id"])

    assert (done.code, f"not clean: {change}" in done.err) == (30, True)
    assert git(repository, "rev-parse", "HEAD") == document["base"]
    assert (repository / change).read_text() == "mine\n"


def test_a_branch_that_has_moved_since_is_not_merged(paddock: Paddock, repository: Path) -> None:
    document = paddock.run(repository, WORK)
    git(repository, "branch", "-f", document["branch"], "main")
    done = paddock("merge", document["id"])

    assert (done.code, "has moved since the run ended" in done.err) == (30, True)
