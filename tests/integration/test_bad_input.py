"""Bad input: each has a sentence of its own, ends with 30 (or 2 for usage), and nothing is started or left."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import NamedTuple

import pytest
from docker import APIClient

from runner.errors import RefusedError
from tests.integration.cli import Paddock
from tests.integration.library import Library
from tests.unit.repo.sources import git

pytestmark = pytest.mark.docker


class Bad(NamedTuple):
    """Options and a command, the exit code, and what has to be said."""

    argv: tuple[str, ...]
    code: int
    sentence: str
    policy: str = ""
    repo: str = ""


TRUE = ("--", "true")
MOUNT = '[[mounts]]\nsource = "{}"\ntarget = "/data"'
CASES = {
    "no-directory": Bad(TRUE, 30, "there is no /nonexistent/repo", repo="/nonexistent/repo"),
    "no-repository": Bad(TRUE, 30, "is not in a git repository", repo="{tmp}"),
    "a-file": Bad(TRUE, 30, "is not a directory", repo="{repo}/file"),
    "inside-dot-git": Bad(TRUE, 30, "is inside a repository's .git", repo="{repo}/.git"),
    "remote-helper": Bad(TRUE, 30, "remote helper, which is a program", repo="ext::touch%20/tmp/x"),
    "unknown-scheme": Bad(TRUE, 30, "has the scheme gopher", repo="gopher://host/x"),
    "url-of-nothing": Bad(TRUE, 30, "cannot be fetched", repo="file:///nonexistent/repo.git"),
    "unknown-base": Bad(("--base", "othr", *TRUE), 30, "has no commit othr\npaddock: there is other"),
    "base-as-option": Bad(("--base=--upload-pack=x", *TRUE), 30, "begins with a dash"),
    "unknown-policy": Bad(("--policy", "offlin", *TRUE), 30, "offline"),
    "missing-policy-file": Bad(("--policy", "./none.toml", *TRUE), 30, "none.toml"),
    "unknown-key": Bad(TRUE, 30, "policy.toml:3: limits.memroy", policy='[limits]\nmemroy = "1GiB"'),
    "bad-unit": Bad(TRUE, 30, "policy.toml:3: limits.memory", policy='[limits]\nmemory = "1 potato"'),
    "zero": Bad(TRUE, 30, "limits.disk", policy='[limits]\ndisk = "0B"'),
    "negative": Bad(TRUE, 30, "limits.pids", policy="[limits]\npids = -1"),
    "overflow": Bad(TRUE, 30, "limits.wall_clock", policy='[limits]\nwall_clock = "99999999999d"'),
    "number-without-unit": Bad(TRUE, 30, "limits.memory", policy="[limits]\nmemory = 4096"),
    "not-yet": Bad(TRUE, 30, "limits.cost_usd", policy="[limits]\ncost_usd = 1.0"),
    "unknown-group": Bad(
        TRUE, 30, "no group is called @nobody", policy='[network]\nmode = "allow"\nallow = ["@nobody"]'
    ),
    "too-many-cpus": Bad(TRUE, 30, "limits.cpus = 4000, but the machine has", policy="[limits]\ncpus = 4000.0"),
    "too-much-memory": Bad(TRUE, 30, "but the machine has", policy='[limits]\nmemory = "900TiB"'),
    "no-such-runtime": Bad(TRUE, 30, 'sandbox.runtime = "kata"', policy='[sandbox]\nruntime = "kata"'),
    "mount-missing": Bad(TRUE, 30, '"/nonexistent/data" does not exist', policy=MOUNT.format("/nonexistent/data")),
    "mount-forbidden": Bad(TRUE, 30, '"/etc" is "/etc"', policy=MOUNT.format("/etc")),
    "bad-image-name": Bad(("--image", "--privileged", *TRUE), 30, "does not name an image"),
    "no-such-image": Bad(("--image", "localhost:1/no/such:image", *TRUE), 30, "localhost:1/no/such:image"),
    "no-command": Bad((), 2, "There is nothing to run."),
    "unknown-agent": Bad(("--agent", "clippy", "hello"), 2, "There is no agent 'clippy'"),
    "unknown-option": Bad(("--privileged", *TRUE), 2, "No such option"),
    "two-prompts": Bad(("--agent", "demo", "--prompt-file", "{repo}/file", "hello"), 2, "There are two prompts"),
    "prompt-file-missing": Bad(("--agent", "demo", "--prompt-file", "/nonexistent/p"), 2, "No such file"),
    "env-without-value": Bad(("--env", "CI", *TRUE), 2, "--env takes NAME=VALUE"),
    "env-that-steers": Bad(("--env", "LD_PRELOAD=/x.so", *TRUE), 30, "LD_PRELOAD may not be set"),
    "env-odd-name": Bad(("--env", "A B=1", *TRUE), 30, "is not a variable's name"),
    "env-line-break": Bad(("--env", "A=1\nB=2", *TRUE), 30, "contains a line break"),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_told_in_its_own_words_and_starts_nothing(
    name: str, paddock: Paddock, repository: Path, docker_client: APIClient
) -> None:
    case = CASES[name]
    names = {"repo": repository, "tmp": paddock.folder}
    policy = ("--policy", str(paddock.policy(case.policy))) if case.policy else ()
    repo = case.repo.format(**names) or str(repository)
    done = paddock("run", repo, *policy, *(word.format(**names) for word in case.argv))

    assert (done.code, done.out) == (case.code, ""), done.err
    assert case.sentence in done.err.replace("\npaddock:   ", "\n")
    assert "Traceback" not in done.err
    assert "bug in Paddock" not in done.err
    assert not (paddock.state / "runs").exists()
    assert docker_client.containers(all=True, filters={"label": f"paddock.state={paddock.state}"}) == []


@pytest.mark.parametrize("name", ["../a\n\x1b[31m; rm -rf / é💥", "--privileged", "x" * 65, "last"])
def test_odd_names_are_refused_before_a_run_exists(name: str, paddock: Paddock, repository: Path) -> None:
    done = paddock("run", repository, f"--name={name}", "--json", "--", "true")

    assert (done.code, done.document["outcome"]) == (30, "refused")
    assert "--name" in done.document["reason"]
    assert not (paddock.state / "runs").exists()


def test_a_name_becomes_plain_letters_in_the_id(paddock: Paddock, repository: Path) -> None:
    """A name is for people: whatever it is, id, container, host name and branch are made of letters and digits."""
    done = paddock("run", repository, "--name=Fix_the..bug-", "--json", "--", "true")

    assert done.code == 0, done.err
    run = done.document["id"]
    assert run.isascii()
    assert run.replace("-", "").isalnum()
    assert [path.name for path in (paddock.state / "runs").iterdir()] == [run]


def test_an_engine_that_is_not_running_is_told_with_how_to_start_it(paddock: Paddock, repository: Path) -> None:
    paddock.variables["PADDOCK_ENGINE"] = f"unix://{paddock.folder}/none.sock"
    done = paddock("run", repository, "--json", "--", "true")

    assert (done.code, done.document["outcome"]) == (30, "refused")
    assert "No Docker engine answers at" in done.document["reason"]
    assert "systemctl start docker" in done.err
    assert not (paddock.state / "runs").exists()


def test_a_full_disk_is_told_before_anything_starts(
    library: Library, repository: Path, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.run.prepare.LEAST_DISK", 2**60)  # more than any disk has

    with pytest.raises(RefusedError, match="is full") as caught:
        library.run(repository)
    assert "PADDOCK_STATE_DIR" in caught.value.hint
    assert not (state_dir / "runs").exists()


def test_a_state_directory_that_cannot_be_written_is_told(paddock: Paddock, repository: Path) -> None:
    blocked = paddock.folder / "file"
    blocked.write_text("")
    paddock.state = blocked / "state"
    done = paddock("run", repository, "--", "true")

    assert done.code == 40
    assert str(blocked) in done.err
    assert "Traceback" not in done.err


def test_a_branch_named_paddock_is_in_the_way_and_said_so(paddock: Paddock, repository: Path) -> None:
    git(repository, "branch", "paddock")
    done = paddock("run", repository, "--", "true")

    assert (done.code, "has a branch named paddock" in done.err) == (30, True)
    assert not (paddock.state / "runs").exists()


def test_plan_starts_nothing_and_needs_no_engine(paddock: Paddock, repository: Path) -> None:
    paddock.variables["PADDOCK_ENGINE"] = "unix:///nonexistent/docker.sock"
    spec = paddock("plan", repository, "--env", "API_KEY=secret-value", "--", "make", "test")

    assert spec.code == 0, spec.err
    assert spec.document["argv"] == ["make", "test"]
    assert spec.document["uid"] != 0
    assert "secret-value" not in spec.out
    assert paddock("plan", repository, "--docker", "--", "true").document["HostConfig"]["NetworkMode"] == "none"
    assert [path for path in paddock.state.rglob("*") if not stat.S_ISDIR(path.lstat().st_mode)] == []
