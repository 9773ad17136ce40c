"""A branch goes to one name of one remote, and nothing that a repository's files or configuration name is started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.errors import GitError, PaddockError, RepositoryError
from runner.repo import pushing
from runner.repo.git import GitOutput, run_git
from runner.repo.pushing import (
    BRANCH_NAME,
    Remote,
    push_commit,
    remote_of_repository,
    remote_of_url,
    rewritten,
    standing_of,
)
from tests.unit.repo.sources import commit, git, make_repository
from tests.unit.repo.test_clone import dumb_server

NAME = "paddock/run"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A repository `r`, its bare remote, a home, and a commit beyond what the remote has."""
    repository = make_repository(tmp_path / "r")
    (tmp_path / "home").mkdir()
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "bare.git")
    git(repository, "remote", "add", "origin", "../bare.git")
    git(repository, "push", "-q", "origin", "main")
    git(repository, "switch", "-q", "-c", NAME)
    (repository / "new").write_text("new\n")
    commit(repository, "by the agent")
    git(repository, "switch", "-q", "main")
    return tmp_path


def users(place: Path) -> dict[str, str]:
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(place / "home")}


def remote(place: Path, name: str = "origin") -> Remote:
    return remote_of_repository(name, place / "r", place / "r" / ".git", users(place))


def head(place: Path, name: str = NAME) -> str:
    return git(place / "r", "rev-parse", name)


def refs(place: Path) -> list[str]:
    return git(place / "bare.git", "for-each-ref", "--format=%(refname)").splitlines()


def test_a_branch_is_new_then_moves_forward_and_nothing_else_is_touched(place: Path) -> None:
    before = git(place / "r", "for-each-ref")
    first, second = head(place, "main"), head(place)
    assert push_commit(remote(place), first, NAME) == "new"
    assert standing_of(remote(place), {NAME, "main", "none"}).model_dump() == {
        "default": "main",
        "branches": {NAME: first, "main": first},
    }
    assert push_commit(remote(place), second, NAME) == "moved forward"
    assert standing_of(remote(place), {NAME}).branches == {NAME: second}
    assert refs(place) == ["refs/heads/main", f"refs/heads/{NAME}"]
    assert git(place / "r", "for-each-ref") == before, "not even a remote-tracking branch"


def test_a_branch_that_has_other_commits_is_never_overwritten(place: Path) -> None:
    git(place / "r", "push", "-q", "origin", NAME)
    git(place / "r", "config", "push.default", "matching")
    git(place / "r", "config", "remote.origin.push", "+refs/heads/*:refs/heads/*")
    with pytest.raises(RepositoryError, match=r"\[rejected\] \(non-fast-forward\)") as raised:
        push_commit(remote(place), head(place, "other"), NAME)
    assert "--branch" in raised.value.hint
    assert standing_of(remote(place), {NAME}).branches == {NAME: head(place)}


@pytest.mark.parametrize(
    "name", ["main", "refs/heads/x", "a/../b", "-x/y", "a/b.lock", "a//b", "/a", "a/", "a/b c", "a/.b"]
)
def test_a_name_without_a_folder_or_that_git_would_not_take_is_refused(place: Path, name: str) -> None:
    with pytest.raises(RepositoryError, match="no name for a branch of ours"):
        push_commit(remote(place), head(place), name)
    assert refs(place) == ["refs/heads/main"]


@pytest.mark.parametrize("name", ["paddock/2026-11-21-fix-k3f9", "bots/a.b_c/d"])
def test_names_that_git_takes(place: Path, name: str) -> None:
    assert BRANCH_NAME.fullmatch(name)
    git(place, "check-ref-format", f"refs/heads/{name}")


PROGRAMS: dict[str, list[tuple[str, str]]] = {
    "a hook": [("core.hooksPath", "hooks")],
    "a file watcher": [("core.fsmonitor", "./run")],
    "a program for the other end": [("remote.file://{bare}.receivepack", "{run}; git-receive-pack")],
    "a program for what is listed": [("remote.file://{bare}.uploadpack", "{run}; git-upload-pack")],
    "a signature": [("push.gpgSign", "true"), ("gpg.program", "{run}")],
}
WORKS = {"a hook", "a program for the other end", "a program for what is listed"}
"""What plain git starts."""


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_push_starts_no_program_of_the_repositorys(place: Path, name: str) -> None:
    run = place / "r" / "run"
    run.write_text(f"#!/bin/sh\ntouch {place}/ran\n")
    run.chmod(0o755)
    (place / "r" / "hooks").mkdir()
    for hook in ("pre-push", "reference-transaction"):
        (place / "r" / "hooks" / hook).symlink_to("../run")
    for key, value in PROGRAMS[name]:
        git(place / "r", "config", key.format(bare=place / "bare.git"), value.format(run=run))
    git(place / "r", "remote", "set-url", "origin", f"file://{place}/bare.git")
    if name in WORKS:
        git(place / "r", "push", "-q", f"file://{place}/bare.git", f"{NAME}:refs/heads/planted/works")
        git(place / "r", "ls-remote", f"file://{place}/bare.git")
        assert (place / "ran").exists()
        (place / "ran").unlink()
    standing_of(remote(place), {NAME})
    push_commit(remote(place), head(place), NAME)
    assert f"refs/heads/{NAME}" in refs(place)
    assert not (place / "ran").exists()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ext::sh -c touch% {place}/ran", "spaces"),
        ("ext::{place}/run", "remote helper"),
        ("--upload-pack={place}/run", "cannot be asked"),
        ("ssh://-oProxyCommand=x/y", "no valid host"),
        ("short:x", "cannot be asked"),
    ],
)
def test_a_remote_that_would_start_a_program_is_refused(place: Path, url: str, said: str) -> None:
    (place / "run").write_text(f"#!/bin/sh\ntouch {place}/ran\n")
    (place / "run").chmod(0o755)
    git(place / "r", "config", f"url.ext::{place}/run .insteadOf", "short:")
    git(place / "r", "config", "protocol.ext.allow", "always")
    git(place / "r", "config", "remote.origin.url", url.format(place=place))
    with pytest.raises(PaddockError, match=said):
        standing_of(remote(place), {NAME})
    with pytest.raises(PaddockError):
        push_commit(remote(place), head(place), NAME)
    assert not (place / "ran").exists()


def test_a_remote_that_is_missing_or_has_several_urls_is_told(place: Path) -> None:
    with pytest.raises(RepositoryError, match="has no remote upstream"):
        remote(place, "upstream")
    with pytest.raises(RepositoryError, match="is no name of a remote"):
        remote(place, "--all")
    git(place / "r", "remote", "set-url", "--add", "origin", "../other.git")
    with pytest.raises(RepositoryError, match="has 2 URLs"):
        remote(place)
    git(place / "r", "config", "remote.origin.pushurl", str(place / "bare.git"))
    assert push_commit(remote(place), head(place), NAME) == "new"


def test_a_remote_without_a_branch_would_make_ours_its_default_one_and_is_refused(place: Path) -> None:
    git(place / "bare.git", "symbolic-ref", "HEAD", "refs/heads/gone")
    assert standing_of(remote(place), {NAME}).default == ""
    git(place / "bare.git", "update-ref", "-d", "refs/heads/main")
    with pytest.raises(RepositoryError, match="has no branches yet"):
        standing_of(remote(place), {NAME})


def test_the_users_own_rules_for_urls_count(place: Path) -> None:
    (place / "home" / ".gitconfig").write_text(f'[url "file://{place}/"]\n\tinsteadOf = https://short.invalid/\n')
    git(place / "r", "remote", "set-url", "origin", "https://short.invalid/bare.git")
    assert rewritten(remote(place)) == f"file://{place}/bare.git"
    assert push_commit(remote(place), head(place), NAME) == "new"
    assert remote(place).shown == "https://short.invalid/bare.git"


def test_credentials_of_a_remote_reach_the_server_and_no_argv_or_message(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Sequence[str]] = []

    def recording(argv: Sequence[str], **options: Any) -> GitOutput:
        started.append(argv)
        return run_git(argv, **options)

    monkeypatch.setattr(pushing, "run_git", recording)
    git(place / "bare.git", "update-server-info")
    with dumb_server(place, "me:s3cret-word") as (port, seen):
        url = f"http://me:s3cret-word@127.0.0.1:{port}/bare.git"
        git(place / "r", "remote", "set-url", "origin", url)
        known = remote(place)
        assert standing_of(known, set()).default == "main"
        with pytest.raises((RepositoryError, GitError)) as raised:
            push_commit(known, head(place), NAME)
        with pytest.raises(RepositoryError):
            standing_of(remote_of_url(f"http://127.0.0.1:{port}/bare.git", place / "r" / ".git", users(place)), set())
    assert any(seen.authorizations)
    told = [*map(str, started), raised.value.message, raised.value.hint, known.shown]
    assert "s3cret-word" not in " ".join(told)
