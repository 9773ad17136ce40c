"""What the agent may read beside its repository: named, guarded as mounts are, cloned with nothing of the user's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.errors import RefusedError, RepositoryError
from runner.model.identity import Identity
from runner.model.policy import Policy
from runner.model.result import Outcome
from runner.model.spec import Mount
from runner.model.task import Task
from runner.run import surroundings
from runner.run.context import (
    copy_context,
    find_beside,
    find_context,
    mounts_for,
    names_beside,
    open_beside,
    refuse_collisions,
)
from runner.run.execute import run_task
from runner.store.runs import RunPaths, run_paths
from tests.unit.repo.sources import git, make_repository
from tests.unit.run.fake_host import FakeHost

AGENT = Identity(uid=1000, gid=1000) if os.geteuid() == 0 else Identity(uid=os.geteuid(), gid=os.getegid())


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    paths = RunPaths(tmp_path / "run")
    paths.directory.mkdir()
    return paths


def task(**details: object) -> Task:
    return Task.model_validate({"repo": "/r", **details})


def test_only_what_is_given_is_mounted_and_read_only(paths: RunPaths) -> None:
    assert mounts_for(task(), paths) == ()
    both = mounts_for(task(context=("/a",), beside=("/b", "/c")), paths)
    assert both == (
        Mount(source=str(paths.context), target="/context", mode="ro"),
        Mount(source=str(paths.beside), target="/beside", mode="ro"),
    )


@pytest.mark.parametrize("target", ["/context", "/context/data", "/beside/lib"])
@pytest.mark.parametrize("table", ["mounts", "caches"])
def test_a_policy_that_puts_something_in_the_way_is_refused(target: str, table: str) -> None:
    entry = {"mounts": {"source": "/srv", "target": target}, "caches": {"name": "c", "target": target}}[table]
    policy = Policy.model_validate({table: [entry]})
    with pytest.raises(RefusedError, match=f"the policy puts something else at {target}"):
        refuse_collisions(task(context=("/a",), beside=("/b",)), policy)
    refuse_collisions(task(), policy)


def test_a_neighbour_by_name_is_not_in_the_way() -> None:
    policy = Policy.model_validate({"mounts": [{"source": "/srv", "target": "/contexts"}]})
    refuse_collisions(task(context=("/a",), beside=("/b",)), policy)


def test_repositories_are_named_by_their_last_part_and_numbered() -> None:
    places = (
        "/src/lib",
        "https://me:secret@forge.example.test/x/lib.git",
        "git@example.test:lib",
        "/src/a b\x1b!",
        "/",
    )
    assert names_beside(task(beside=places)) == {
        "lib": "",
        "lib-2": "https://forge.example.test/x/lib.git",
        "lib-3": "git@example.test:lib",
        "a-b-x1b": "",
        "repository": "",
    }


def test_a_url_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(RepositoryError, match="remote helper"):
        names_beside(task(beside=("ext::sh",)))


@pytest.mark.parametrize("place", [".ssh", ".ssh/id", "."])
@pytest.mark.parametrize("linked", [False, True])
def test_what_no_mount_may_show_is_not_copied_either(place: str, linked: bool, fake: FakeHost, tmp_path: Path) -> None:
    (fake.home / ".ssh").mkdir()
    (fake.home / ".ssh" / "id").write_text("key")
    given = fake.home / place
    if linked:
        (tmp_path / "harmless").symlink_to(given)
        given = tmp_path / "harmless"
    with pytest.raises(RefusedError) as caught:
        find_context(task(context=(str(given),)), None, fake.host())
    assert caught.value.message.startswith('--context: "/')
    assert caught.value.exit_code == 30


def test_paddocks_own_state_and_the_repositorys_git_are_refused(fake: FakeHost) -> None:
    (fake.state / "runs").mkdir(parents=True)
    source = find_beside(task(beside=(str(fake.repository),)), fake.host())["sample"]
    for given, says in ((fake.state / "runs", "own state"), (fake.repository, "source repository's .git")):
        with pytest.raises(RefusedError, match=says):
            find_context(task(context=(str(given),)), source, fake.host())


def test_context_arrives_in_the_runs_own_directory(fake: FakeHost, paths: RunPaths, tmp_path: Path) -> None:
    (tmp_path / "Simon's: notes.md").write_text("x")  # a copy has none of a mount's troubles with names
    found = find_context(task(context=(str(tmp_path / "Simon's: notes.md"),)), None, fake.host())
    copy_context(found, paths, AGENT)
    assert [path.name for path in paths.context.iterdir()] == ["Simon's: notes.md"]


def test_the_agent_can_read_it_whatever_the_users_umask_is(fake: FakeHost, paths: RunPaths, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("x")
    lib = make_repository(tmp_path / "lib")
    before = os.umask(0o077)
    try:
        copy_context(find_context(task(context=(str(tmp_path / "data"),)), None, fake.host()), paths, AGENT)
        open_beside(find_beside(task(beside=(str(lib),)), fake.host()), paths, AGENT, history="branch")
    finally:
        os.umask(before)
    places = (paths.context, paths.context / "data", paths.beside)
    assert [oct(place.stat().st_mode & 0o777) for place in places] == ["0o755"] * 3
    assert (paths.context / "data" / "file").stat().st_mode & 0o777 == 0o644


def test_without_context_no_folder_is_made(paths: RunPaths) -> None:
    copy_context({}, paths, AGENT)
    assert open_beside({}, paths, AGENT, history="branch") == ()
    assert list(paths.directory.iterdir()) == []


def test_other_repositories_arrive_as_clones_with_nothing_of_the_users(
    fake: FakeHost, paths: RunPaths, tmp_path: Path
) -> None:
    lib = make_repository(tmp_path / "src" / "lib")
    git(lib, "remote", "add", "origin", "https://me:secret@forge.example.test/lib")
    (lib / ".git" / "hooks" / "post-checkout").write_text("#!/bin/sh\n")
    other = make_repository(tmp_path / "else" / "lib")
    beside = find_beside(task(beside=(str(lib), f"file://{other}")), fake.host())
    notices = open_beside(beside, paths, AGENT, history="branch")

    assert notices == ()
    assert sorted(path.name for path in paths.beside.iterdir()) == ["lib", "lib-2"]
    for name in ("lib", "lib-2"):
        clone = paths.beside / name
        assert {path.lstat().st_uid for path in (clone, *clone.rglob("*"))} == {AGENT.uid}
        assert (clone / "file").read_text() == "two\n"
        assert git(clone, "log", "--format=%s").splitlines() == ["second", "first"]
        assert git(clone, "status", "--porcelain") == ""
        assert git(clone, "remote") == ""
        assert not (clone / ".git" / "hooks").exists()
        assert "secret" not in (clone / ".git" / "config").read_text()
    assert sorted(path.name for path in paths.directory.iterdir()) == ["beside"]


def test_a_shallow_history_is_kept_shallow(fake: FakeHost, paths: RunPaths, tmp_path: Path) -> None:
    lib = make_repository(tmp_path / "lib")
    open_beside(find_beside(task(beside=(str(lib),)), fake.host()), paths, AGENT, history="shallow")
    assert git(paths.beside / "lib", "log", "--format=%s") == "second"


def test_what_has_to_be_told_of_a_repository_says_which(fake: FakeHost, paths: RunPaths, tmp_path: Path) -> None:
    lib = make_repository(tmp_path / "lib")
    (lib / ".gitattributes").write_text("*.bin filter=lfs\n")
    git(lib, "add", ".gitattributes")
    git(lib, "commit", "-qm", "lfs")
    notices = open_beside(find_beside(task(beside=(str(lib),)), fake.host()), paths, AGENT, history="branch")
    assert [notice.startswith("/beside/lib: The repository uses Git LFS") for notice in notices] == [True]


def test_what_is_no_repository_is_refused_as_such(fake: FakeHost, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match=r"--with: .* is not in a git repository"):
        find_beside(task(beside=(str(fake.home),)), fake.host())


def test_a_store_of_passwords_is_no_repository_to_look_things_up_in(fake: FakeHost) -> None:
    store = make_repository(fake.home / ".password-store")
    with pytest.raises(RefusedError, match=r"--with: .*credentials"):
        find_beside(task(beside=(str(store),)), fake.host())


def test_ctrl_c_ends_a_copy_at_once(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the agent has not begun, nothing can be lost."""
    host = fake.host()
    interrupted = []

    def copying(*_: object) -> None:
        host.cancellation.request()
        interrupted.append(host.cancellation.interruptible)
        raise KeyboardInterrupt

    monkeypatch.setattr(surroundings, "bring_along", copying)
    result = run_task(fake.task(), host)
    assert (result.outcome, interrupted, fake.engine.boxes) == (Outcome.CANCELLED, [True], {})
    assert not run_paths(fake.state, result.id).workspace.exists()
