"""The door to git: nothing of the environment goes in, nothing runs on after it, nothing comes out unbounded."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from runner.errors import GitError
from runner.model.identity import Identity
from runner.repo.git import (
    GitCommand,
    GitOverflowError,
    ProcessLimits,
    git_version,
    pipe_git,
    run_git,
)
from tests.unit.repo.collection_kit import git

# `git -c alias.x='!...' x` runs a shell: the handiest way to have git start something that misbehaves.


def script(text: str) -> list[str]:
    return ["-c", f"alias.x=!{text}", "x"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    return tmp_path / ".git"


def alive(pid_file: Path) -> bool:
    pid = pid_file.read_text().strip()
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def test_output_and_exit_code_come_back(repository: Path) -> None:
    said = run_git(["rev-list", "--count", "main"], git_dir=repository)
    assert (said.exit_code, said.stdout, said.stderr) == (0, b"1\n", "")


def test_git_tells_its_version() -> None:
    assert git_version() > (2, 20)


def test_a_failure_is_an_error_with_gits_last_words_escaped() -> None:
    with pytest.raises(GitError, match=r"failed \(7\): first \| \\x1b\[31mlast"):
        run_git(script("echo first >&2; printf '\\033[31mlast' >&2; exit 7"))


def test_a_failure_can_be_looked_at_instead(repository: Path) -> None:
    assert run_git(["cat-file", "-e", "0" * 40], git_dir=repository, check=False).exit_code != 0


def test_the_environment_is_made_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/somewhere/else")
    monkeypatch.setenv("GIT_SSH_COMMAND", "touch /tmp/never")
    monkeypatch.setenv("SECRET", "x")
    seen = run_git(script("env"), environment={"EXTRA": "1"}).stdout.decode().splitlines()
    names = {line.partition("=")[0] for line in seen}
    assert not {"GIT_SSH_COMMAND", "SECRET", "GIT_DIR"} & names
    assert {"EXTRA=1", "GIT_ALLOW_PROTOCOL=file", "GIT_CONFIG_GLOBAL=/dev/null", "HOME=/nonexistent"} <= set(seen)


def test_a_users_hooks_do_not_run(repository: Path, tmp_path: Path) -> None:
    hook = repository / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/canary\n")
    hook.chmod(0o755)
    git(tmp_path, "branch", "control")
    assert (tmp_path / "canary").exists()  # it would have run
    (tmp_path / "canary").unlink()
    run_git(["update-ref", "refs/heads/x", "main"], git_dir=repository)
    assert not (tmp_path / "canary").exists()


def test_the_deadline_ends_the_whole_group(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(GitError, match="passed its deadline"):
        run_git(script(f"sleep 60 & echo $! > {tmp_path}/pid; sleep 60"), deadline=0.5)
    assert time.monotonic() - began < 5
    time.sleep(0.1)
    assert not alive(tmp_path / "pid")


def test_a_child_that_holds_the_pipe_does_not_outlive_the_deadline(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="passed its deadline"):
        run_git(script(f"sleep 60 & echo $! > {tmp_path}/pid; true"), deadline=0.5)
    time.sleep(0.1)
    assert not alive(tmp_path / "pid")


def test_output_is_capped_while_it_is_read() -> None:
    began = time.monotonic()
    with pytest.raises(GitOverflowError, match="more than 1000 bytes"):
        run_git(script("yes"), max_output=1000, deadline=20)
    assert time.monotonic() - began < 5


def test_a_flood_of_errors_keeps_its_end_only() -> None:
    said = run_git(script("yes x | head -c 1000000 >&2; echo last >&2; exit 3"), check=False)
    assert said.exit_code == 3
    assert len(said.stderr) < 100_000
    assert said.stderr.endswith("last")


def test_more_input_than_a_pipe_holds_goes_in_and_comes_out(repository: Path) -> None:
    data = os.urandom(1024) * 1024
    name = run_git(["hash-object", "-w", "--stdin"], git_dir=repository, stdin=data).stdout.decode().strip()
    assert run_git(["cat-file", "blob", name], git_dir=repository).stdout == data


def test_input_that_nobody_reads_is_no_failure() -> None:
    assert run_git(["version"], stdin=b"x" * 1_000_000).exit_code == 0


def test_no_input_is_the_empty_input(repository: Path) -> None:
    assert run_git(["hash-object", "--stdin"], git_dir=repository, deadline=5).stdout.startswith(b"e69de29")


def test_a_larger_file_than_allowed_is_not_written(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(GitOverflowError), (tmp_path / "out").open("wb") as stream:
        run_git(script("yes"), stdout=stream.fileno(), limits=ProcessLimits(file_size=100_000), deadline=10)
    assert (tmp_path / "out").stat().st_size <= 100_000


def test_two_gits_are_joined_by_a_pipe(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(tmp_path, "init", "-q", "--bare", str(other))
    head = git(tmp_path, "rev-parse", "main")
    pack = GitCommand(argv=("pack-objects", "--revs", "--stdout", "-q"), git_dir=repository, stdin=b"main\n")
    pipe_git(pack, GitCommand(argv=("unpack-objects", "-q"), git_dir=other))
    assert git(other, "cat-file", "-t", head) == "commit"


@pytest.mark.parametrize("broken", [0, 1])
def test_either_end_of_a_pipe_may_fail_and_it_is_told(repository: Path, broken: int) -> None:
    ends = [
        GitCommand(argv=("pack-objects", "--revs", "--stdout", "-q"), git_dir=repository, stdin=b"main\n"),
        GitCommand(argv=("index-pack", "--stdin"), git_dir=repository),
    ]
    ends[broken] = GitCommand(argv=("cat-file", "-e", "0" * 40), git_dir=repository)
    with pytest.raises(GitError, match="failed"):
        pipe_git(ends[0], ends[1], deadline=10)


def test_a_pipe_has_a_deadline_for_both_ends(tmp_path: Path) -> None:
    stuck = GitCommand(argv=tuple(script(f"echo $$ > {tmp_path}/pid; sleep 60")))
    with pytest.raises(GitError, match="passed its deadline"):
        pipe_git(stuck, GitCommand(argv=tuple(script("cat"))), deadline=0.5)
    time.sleep(0.1)
    assert not alive(tmp_path / "pid")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_becomes_the_owner_with_no_other_group() -> None:
    seen = run_git(script("id -u; id -g; id -G"), user=Identity(uid=1234, gid=2345)).stdout.split()
    assert seen == [b"1234", b"2345", b"2345"]
