"""A URL becomes a bare clone that follows its remote and knows no secret."""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from runner.errors import GitError, RepositoryError
from runner.repo.clone import alone, clone_source, lock_of
from runner.repo.source import Source, inspect_source
from tests.unit.identities import shared_directory
from tests.unit.repo.sources import commit, git, make_repository

USERS = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"}


@pytest.fixture
def place() -> Iterator[Path]:
    with shared_directory() as directory:
        yield directory


def clone(place: Path, base: str = "") -> Source:
    path = clone_source(f"file://{place}/r", place / "state", environment=USERS)
    return inspect_source(str(path), base, effective_uid=os.geteuid())


def test_a_clone_is_bare_private_and_has_all_branches(place: Path) -> None:
    make_repository(place / "r")
    source = clone(place)
    assert source.bare
    assert source.path.parent == place / "state" / "clones"
    assert source.path.parent.stat().st_mode & 0o777 == 0o700
    assert (source.head_branch, source.base_sha) == ("main", git(place / "r", "rev-parse", "main"))
    assert clone(place, "other").base_sha == git(place / "r", "rev-parse", "other")
    assert set(source.tags) == {"refs/tags/v1"}
    assert git(source.path, "config", "--local", "--get-regexp", ".").splitlines() == [
        "core.repositoryformatversion 0",
        "core.filemode true",
        "core.bare true",
    ]


def test_the_next_clone_follows_the_remote_and_keeps_our_branches(place: Path) -> None:
    make_repository(place / "r")
    first = clone(place)
    git(first.path, "update-ref", "refs/heads/paddock/run", first.base_sha)
    git(place / "r", "branch", "-q", "-D", "other")
    (place / "r" / "file").write_text("three\n")
    git(place / "r", "commit", "-q", "-a", "--amend", "-m", "rewritten")
    second = clone(place)
    assert second.path == first.path
    assert second.base_sha == git(place / "r", "rev-parse", "main") != first.base_sha
    assert set(second.branches) == {"refs/heads/main", "refs/heads/paddock/run"}


def test_a_default_branch_that_was_renamed_is_followed(place: Path) -> None:
    make_repository(place / "r")
    clone(place)
    git(place / "r", "branch", "-q", "-m", "main", "trunk")
    source = clone(place)
    assert source.head_branch == "trunk"
    assert set(source.branches) == {"refs/heads/trunk", "refs/heads/other"}


def test_a_sha256_repository_is_cloned_as_one(place: Path) -> None:
    make_repository(place / "r", object_format="sha256")
    assert clone(place).object_format == "sha256"


def test_a_remote_with_a_detached_head_has_a_default_branch_all_the_same(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "checkout", "-q", "--detach", "other")
    assert clone(place).head_branch == "main"


def test_a_remote_without_commits_and_one_that_is_missing_are_refused(place: Path) -> None:
    (place / "r").mkdir()
    git(place / "r", "init", "-q")
    with pytest.raises(RepositoryError, match="has no branches yet"):
        clone(place)
    with pytest.raises(RepositoryError, match="cannot be fetched"):
        clone_source(f"file://{place}/missing", place / "state", environment=USERS)


def test_several_runs_clone_the_same_url_at_once(place: Path) -> None:
    make_repository(place / "r")
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: clone(place).base_sha, range(4)))
    assert found == {git(place / "r", "rev-parse", "main")}


def test_whoever_waited_for_a_clone_that_was_removed_with_its_lock_locks_the_new_one(place: Path) -> None:
    waits, clone_at = threading.Event(), place / "state" / "clones" / "r.git"

    def second() -> bool:
        waits.set()
        with alone(clone_at):
            return lock_of(clone_at).exists()

    with ThreadPoolExecutor(1) as pool:
        with alone(clone_at):
            found = pool.submit(second)
            waits.wait()
            time.sleep(0.05)
            assert not found.done()
            lock_of(clone_at).unlink()
        assert found.result()


def test_variables_that_point_git_elsewhere_are_dropped(place: Path) -> None:
    make_repository(place / "r")
    make_repository(place / "mine")
    variables = {"GIT_DIR": f"{place}/mine/.git", "GIT_INDEX_FILE": "/x", "GIT_TRACE": f"{place}/trace"}
    clone_source(f"file://{place}/r", place / "state", environment={**USERS, **variables})
    assert not (place / "trace").exists()
    assert git(place / "mine", "for-each-ref", "refs/remotes") == ""


def test_the_users_configuration_counts_for_the_fetch_alone(place: Path) -> None:
    make_repository(place / "r")
    (place / "home").mkdir()
    (place / "home" / ".gitconfig").write_text(f'[url "file://{place}/"]\n\tinsteadOf = https://short.invalid/\n')
    path = clone_source("https://short.invalid/r", place / "state", environment={**USERS, "HOME": f"{place}/home"})
    assert "short.invalid" not in (path / "config").read_text()
    assert inspect_source(str(path), effective_uid=os.geteuid()).head_branch == "main"


class Seen:
    """What a web server was asked for."""

    def __init__(self) -> None:
        self.authorizations: list[str] = []


@contextmanager
def dumb_server(root: Path, password: str) -> Iterator[tuple[int, Seen]]:
    """Serves a repository's files to whoever knows the password."""
    seen = Seen()
    wanted = "Basic " + base64.b64encode(password.encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            sent = self.headers.get("Authorization", "")
            seen.authorizations.append(sent)
            file = root / self.path.lstrip("/").partition("?")[0]
            status = 401 if sent != wanted else 200 if file.is_file() else 404
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()
            if status == 200:
                self.wfile.write(file.read_bytes())

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, seen
        finally:
            server.shutdown()
            thread.join()


def everything_written(top: Path) -> bytes:
    return b"".join(path.read_bytes() for path in top.rglob("*") if path.is_file())


def test_credentials_of_the_url_reach_the_server_and_no_file(place: Path) -> None:
    make_repository(place / "r")
    git(place, "clone", "-q", "--bare", "r", "www/r.git")
    git(place / "www" / "r.git", "update-server-info")
    with dumb_server(place / "www", "user:t0psecret") as (port, seen):
        path = clone_source(f"http://user:t0psecret@127.0.0.1:{port}/r.git", place / "state", environment=USERS)
        again = clone_source(f"http://user:t0psecret@127.0.0.1:{port}/r.git", place / "state", environment=USERS)
    assert path == again
    assert inspect_source(str(path), effective_uid=os.geteuid()).head_branch == "main"
    assert all(seen.authorizations)
    written = everything_written(place / "state")
    assert b"t0psecret" not in written
    assert base64.b64encode(b"user:t0psecret") not in written


def test_wrong_credentials_are_refused_and_not_repeated(place: Path) -> None:
    make_repository(place / "r")
    with dumb_server(place, "user:right") as (port, _), pytest.raises(RepositoryError) as caught:
        clone_source(f"http://user:wr0ngsecret@127.0.0.1:{port}/r", place / "state", environment=USERS)
    told = f"{caught.value.message} {caught.value.hint} {caught.value.__cause__} {caught.value.__context__}"
    assert "cannot be fetched" in told
    assert "wr0ngsecret" not in told


def test_a_server_that_does_not_answer_is_worth_another_try(place: Path) -> None:
    with pytest.raises(GitError, match="cannot be fetched") as caught:
        clone_source("http://127.0.0.1:1/r.git", place / "state", environment=USERS)
    assert caught.value.exit_code == 40


def test_credentials_are_on_no_command_line(place: Path) -> None:
    make_repository(place / "r")
    spy = place / "bin" / "git"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {place}/argv\nexec /usr/bin/env PATH=/usr/bin:/bin git "$@"\n')
    spy.chmod(0o755)
    users = {**USERS, "PATH": f"{place}/bin:/usr/bin:/bin"}
    with dumb_server(place, "user:right") as (port, _), pytest.raises(RepositoryError):
        clone_source(f"http://user:wr0ngsecret@127.0.0.1:{port}/r", place / "state", environment=users)
    told = (place / "argv").read_text()
    assert "ls-remote" in told
    assert "wr0ngsecret" not in told


def test_the_workspace_of_a_clone_gets_its_commits(place: Path) -> None:
    make_repository(place / "r")
    clone(place)
    (place / "r" / "file").write_text("newer\n")
    newest = commit(place / "r", "newer")
    assert clone(place).base_sha == newest
