"""The workspace holds what the policy allows, belongs to the agent, and leaves the user's repository as it was."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.errors import GitError, RepositoryError, StoreError
from runner.model.identity import Identity
from runner.repo.source import inspect_source
from runner.repo.workspace import Workspace, prepare_workspace
from tests.unit.identities import IDENTITIES, ORDINARY_UID, as_user, shared_directory
from tests.unit.repo.sources import commit, fingerprint, git, make_repository, objects_of


@pytest.fixture
def place() -> Iterator[Path]:
    with shared_directory() as directory:
        yield directory


def prepare(place: Path, base: str = "", *, source: str = "r", agent: int | None = None, **options: Any) -> Workspace:
    """A workspace in `place/run`, from a source that must be the same afterwards as before."""
    uid = os.geteuid() if agent is None else agent
    before = fingerprint(place / source)
    (place / "run").mkdir(mode=0o700)
    try:
        return prepare_workspace(
            inspect_source(str(place / source), base, effective_uid=os.geteuid()),
            place / "run" / "workspace",
            index_copy=place / "run" / "in" / "base.index",
            owner=Identity(uid=uid, gid=uid),
            **options,
        )
    finally:
        assert fingerprint(place / source) == before


def files_in(workspace: Workspace) -> dict[str, str]:
    """Content (or target) of everything in the work tree."""
    found = {}
    for path in sorted(workspace.path.rglob("*")):
        name = str(path.relative_to(workspace.path))
        if not name.startswith(".git/") and name != ".git":
            found[name] = f"-> {path.readlink()}" if path.is_symlink() else path.read_text() if path.is_file() else "/"
    return found


PLAIN = {
    ".gitignore": "*.log\n.env*\nignored/\n",
    "file": "two\n",
    "folder": "/",
    "folder/deep": "deep\n",
    "link": "-> file",
    "tool": "#!/bin/sh\n",
}


@pytest.mark.parametrize("uid", IDENTITIES)
@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_the_base_is_checked_out_in_a_repository_of_its_own(place: Path, uid: int, object_format: str) -> None:
    def attempt() -> Workspace:
        make_repository(place / "r", object_format=object_format)
        return prepare(place)

    workspace = as_user(uid, attempt)
    head = git(place / "r", "rev-parse", "main")
    assert files_in(workspace) == PLAIN
    assert (workspace.head_branch, workspace.base, workspace.start) == ("main", head, head)
    assert workspace.refs == {"refs/heads/main": head}
    assert git(workspace.path, "status", "--porcelain=v2", "--branch").splitlines() == [
        f"# branch.oid {head}",
        "# branch.head main",
    ]
    assert git(workspace.path, "fsck", "--full", "--strict") == ""
    assert git(workspace.path, "remote") == ""
    assert stat.S_IMODE(workspace.path.stat().st_mode) == 0o700
    assert (workspace.path / "tool").stat().st_mode & 0o111


def test_nothing_of_the_users_git_directory_but_objects_and_ids_is_inside(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "remote", "add", "origin", "https://user:token@example.com/r.git")
    git(place / "r", "config", "user.name", "User")
    (place / "r" / ".git" / "hooks" / "post-checkout").write_text(f"#!/bin/sh\ntouch {place}/canary\n")
    (place / "r" / ".git" / "hooks" / "post-checkout").chmod(0o755)
    workspace = prepare(place)
    inside = {str(path.relative_to(workspace.path / ".git")) for path in (workspace.path / ".git").rglob("*")}
    plain = {path for path in inside if not path.startswith("objects/pack/")}
    assert plain == {
        *("HEAD", "config", "index", "packed-refs"),
        *("info", "objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/tags"),
    }
    assert (workspace.path / ".git" / "config").read_text().split("\n\t") == [
        "[core]",
        "repositoryformatversion = 0",
        "filemode = true",
        "bare = false",
        "logallrefupdates = true\n",
    ]
    assert not (place / "canary").exists()


def test_no_file_is_shared_with_the_users_repository(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "repack", "-a", "-d", "-q")
    workspace = prepare(place, history="full")
    inodes = [
        {path.lstat().st_ino for path in top.rglob("*") if path.is_file()} for top in (place / "r", workspace.path)
    ]
    assert not inodes[0] & inodes[1]


def test_history_branch_has_the_base_and_its_ancestors_alone(place: Path) -> None:
    make_repository(place / "r")
    workspace = prepare(place, history="branch")
    assert objects_of(workspace.path) == set(
        git(place / "r", "rev-list", "--objects", "--no-object-names", "main").split()
    )
    assert workspace.shallow == ()


def test_history_full_has_all_branches_and_tags_but_neither_ours_nor_stashes_nor_lost_commits(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "switch", "-q", "-c", "paddock/earlier")
    (place / "r" / "ours").write_text("ours\n")
    commit(place / "r", "of an earlier run")
    git(place / "r", "switch", "-q", "main")
    (place / "r" / "lost").write_text("lost secret\n")
    commit(place / "r", "lost")
    git(place / "r", "reset", "-q", "--hard", "HEAD~1")
    workspace = prepare(place, history="full")
    wanted = ["main", "other", "v1"]
    reachable = git(place / "r", "rev-list", "--objects", "--no-object-names", *wanted).split()
    assert objects_of(workspace.path) == {*reachable, git(place / "r", "rev-parse", "v1")}
    assert sorted(workspace.refs) == ["refs/heads/main", "refs/heads/other", "refs/tags/v1"]
    assert git(workspace.path, "for-each-ref", "--format=%(refname) %(objectname)").splitlines() == [
        f"{name} {sha}" for name, sha in sorted(workspace.refs.items())
    ]
    assert git(workspace.path, "describe") == "v1"


def test_history_shallow_has_one_commit_and_says_so(place: Path) -> None:
    make_repository(place / "r")
    workspace = prepare(place, history="shallow")
    assert workspace.shallow == (workspace.base,)
    assert git(workspace.path, "rev-list", "HEAD") == workspace.base
    assert git(workspace.path, "rev-parse", "--is-shallow-repository") == "true"
    assert git(workspace.path, "fsck", "--full") == ""


def test_a_first_commit_is_not_cut_off_from_anything(place: Path) -> None:
    make_repository(place / "r")
    workspace = prepare(place, "main~1", history="shallow")
    assert workspace.shallow == ()
    assert not (workspace.path / ".git" / "shallow").exists()


@pytest.mark.parametrize("history", ["full", "branch", "shallow"])
def test_a_shallow_source_ends_where_it_ended(place: Path, history: str) -> None:
    make_repository(place / "r")
    git(place, "clone", "-q", "--depth=1", "--no-single-branch", f"file://{place}/r", "s")
    git(place / "s", "branch", "other", "origin/other")
    workspace = prepare(place, source="s", history=history)
    inside = {workspace.base, git(place / "s", "rev-parse", "other")} if history == "full" else {workspace.base}
    assert set(workspace.shallow) == inside
    assert git(workspace.path, "fsck", "--full") == ""
    assert files_in(workspace) == PLAIN


@pytest.mark.parametrize(
    ("base", "branch"), [("", "main"), ("other", "other"), ("main~1", "work"), ("v1", "work"), ("HEAD", "main")]
)
def test_the_branch_inside_is_the_base_by_its_own_name_or_work(place: Path, base: str, branch: str) -> None:
    make_repository(place / "r")
    workspace = prepare(place, base)
    assert workspace.head_branch == branch
    assert git(workspace.path, "symbolic-ref", "HEAD") == f"refs/heads/{branch}"
    assert git(workspace.path, "rev-parse", "HEAD") == git(place / "r", "rev-parse", f"{base or 'main'}^{{commit}}")


def test_a_branch_called_work_is_not_shadowed(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "branch", "work/of/mine")
    git(place / "r", "branch", "work-2")
    workspace = prepare(place, "main~1", history="full")
    assert workspace.head_branch == "work-3"
    assert "refs/heads/work/of/mine" in workspace.refs


@pytest.mark.parametrize("kind", ["bare", "worktree", "detached", "shared", "packed"])
def test_every_kind_of_source_gives_the_same_files(place: Path, kind: str) -> None:
    make_repository(place / "r")
    git(place / "r", "config", "core.bare", "false")
    commands = {
        "bare": ["clone", "-q", "--bare", "r", "s"],
        "worktree": ["-C", "r", "worktree", "add", "-q", str(place / "s"), "-b", "linked"],
        "detached": ["clone", "-q", "r", "s"],
        "shared": ["clone", "-q", "--shared", "r", "s"],
        "packed": ["clone", "-q", "r", "s"],
    }
    git(place, *commands[kind])
    if kind == "detached":
        git(place / "s", "checkout", "-q", "--detach")
    if kind == "packed":
        git(place / "s", "gc", "-q")
    workspace = prepare(place, source="s")
    assert files_in(workspace) == PLAIN
    assert workspace.head_branch == {"worktree": "linked", "detached": "work"}.get(kind, "main")
    assert git(workspace.path, "status", "--porcelain") == ""


def test_submodules_are_empty_folders_and_lfs_files_stay_pointers(place: Path) -> None:
    make_repository(place / "r")
    make_repository(place / "sub")
    git(place / "r", "submodule", "--quiet", "add", f"file://{place}/sub", "sub")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    (place / "r" / ".gitattributes").write_text("*.bin filter=lfs -text\n")
    (place / "r" / "big.bin").write_text(pointer)
    commit(place / "r", "both")
    git(place / "r", "config", "filter.lfs.smudge", f"touch {place}/canary")
    workspace = prepare(place)
    assert list((workspace.path / "sub").iterdir()) == []
    assert (workspace.path / "big.bin").read_text() == pointer
    assert len(workspace.notices) == 2
    assert not (place / "canary").exists()
    assert git(workspace.path, "status", "--porcelain") == ""


def test_line_ends_follow_the_attributes(place: Path) -> None:
    make_repository(place / "r")
    (place / "r" / ".gitattributes").write_text("*.bat text eol=crlf\n")
    (place / "r" / "run.bat").write_bytes(b"echo\r\n")
    commit(place / "r", "a batch file")
    workspace = prepare(place)
    assert (workspace.path / "run.bat").read_bytes() == b"echo\r\n"
    assert git(workspace.path, "status", "--porcelain") == ""


def test_the_index_is_kept_outside_with_its_time(place: Path) -> None:
    make_repository(place / "r")
    workspace = prepare(place)
    original = workspace.path / ".git" / "index"
    assert workspace.index_copy.read_bytes() == original.read_bytes()
    assert workspace.index_copy.stat().st_mtime_ns == original.stat().st_mtime_ns
    assert not workspace.index_copy.is_relative_to(workspace.path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of other users")
@pytest.mark.parametrize("source_owner", [0, ORDINARY_UID])
@pytest.mark.parametrize("dirty", [False, True])
def test_everything_belongs_to_the_agent_when_root_prepares(place: Path, source_owner: int, dirty: bool) -> None:
    def user() -> None:
        make_repository(place / "r")
        (place / "r" / "new").write_text("new\n")
        (place / "r" / ".env").write_text("X=1\n")

    as_user(source_owner, user)
    workspace = prepare(place, agent=4242, dirty=dirty, include=[".env"])
    owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in [workspace.path, *workspace.path.rglob("*")]}
    assert owners == {(4242, 4242)}
    assert (workspace.path / "new").exists() == dirty
    assert (workspace.path / ".env").exists()
    (place / "run").chmod(0o755)
    # The entries of the index are as fresh as a checkout by the agent itself would have made them.
    assert as_user(4242, lambda: git(workspace.path, "diff-files")) == ""
    assert as_user(4242, lambda: git(workspace.path, "status", "--porcelain")) == ""
    assert workspace.index_copy.stat().st_mode & 0o004


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_an_existing_destination_is_not_touched(kind: str, place: Path) -> None:
    make_repository(place / "r")
    there, elsewhere = place / "run" / "workspace", place / "elsewhere"
    there.parent.mkdir()
    elsewhere.mkdir()
    if kind == "folder":
        there.mkdir()
        (there / "mine").touch()
    elif kind == "file":
        there.write_text("mine")
    else:
        there.symlink_to(elsewhere)
    source = inspect_source(str(place / "r"), "", effective_uid=os.geteuid())
    owner = Identity(uid=os.geteuid(), gid=os.getegid())
    with pytest.raises(StoreError, match=r"there is something in it|File exists"):
        prepare_workspace(source, there, index_copy=place / "run" / "index", owner=owner)
    assert [path.name for path in there.iterdir()] == ["mine"] if kind == "folder" else list(elsewhere.iterdir()) == []


def test_an_empty_folder_becomes_the_workspace(place: Path) -> None:
    make_repository(place / "r")
    there = place / "run" / "workspace"
    there.mkdir(parents=True)
    number = there.stat().st_ino
    source = inspect_source(str(place / "r"), "", effective_uid=os.geteuid())
    owner = Identity(uid=os.geteuid(), gid=os.getegid())
    prepare_workspace(source, there, index_copy=place / "run" / "index", owner=owner)
    assert (there / ".git").is_dir()
    assert there.stat().st_ino == number, "what a container mounts already would be another folder"


def test_a_repository_with_missing_objects_says_so(place: Path) -> None:
    make_repository(place / "r")
    blob = git(place / "r", "rev-parse", "main~1:file")
    (place / "r" / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(GitError, match=r"history of .* cannot be copied") as caught:
        prepare(place)
    assert "fsck" in caught.value.hint


def make_dirty(repository: Path) -> None:
    """Every kind of uncommitted change, and files that are to stay behind."""
    (repository / "file").write_text("changed\n")
    (repository / "staged").write_text("staged\n")
    git(repository, "add", "staged")
    (repository / "staged").write_text("staged and changed\n")
    (repository / "untracked").write_text("untracked\n")
    (repository / "new folder").mkdir()
    (repository / "new folder" / "näme\nwith break").write_text("odd\n")
    (repository / "tool").chmod(0o644)
    (repository / "folder" / "deep").unlink()
    (repository / "folder").rmdir()
    (repository / "folder").symlink_to("new folder")
    (repository / "link").unlink()
    (repository / "link").mkdir()
    (repository / "link" / "inside").write_text("a folder now\n")
    (repository / "debug.log").write_text("ignored secret\n")
    (repository / ".env").write_text("SECRET=1\n")


@pytest.mark.parametrize("uid", IDENTITIES)
@pytest.mark.parametrize("history", ["branch", "shallow"])
def test_dirty_carries_every_uncommitted_change_as_one_commit(place: Path, uid: int, history: str) -> None:
    def attempt() -> Workspace:
        make_repository(place / "r")
        make_dirty(place / "r")
        return prepare(place, dirty=True, history=history)

    workspace = as_user(uid, attempt)
    assert files_in(workspace) == {
        ".gitignore": PLAIN[".gitignore"],
        "file": "changed\n",
        "folder": "-> new folder",
        "link": "/",
        "link/inside": "a folder now\n",
        "new folder": "/",
        "new folder/näme\nwith break": "odd\n",
        "staged": "staged and changed\n",
        "tool": "#!/bin/sh\n",
        "untracked": "untracked\n",
    }
    assert not (workspace.path / "tool").stat().st_mode & 0o111
    assert git(workspace.path, "log", "-1", "--format=%P %an <%ae> %s") == (
        f"{workspace.base} paddock <paddock@localhost> paddock: uncommitted changes carried along"
    )
    assert workspace.start == git(workspace.path, "rev-parse", "HEAD") == workspace.refs["refs/heads/main"]
    assert git(workspace.path, "status", "--porcelain") == ""
    assert git(workspace.path, "fsck", "--full") == ""
    assert sorted(path.name for path in (place / "run").iterdir()) == ["in", "workspace"]
    assert workspace.start not in objects_of(place / "r")


def test_dirty_without_changes_makes_no_commit(place: Path) -> None:
    make_repository(place / "r")
    workspace = prepare(place, dirty=True)
    assert workspace.start == workspace.base


def test_dirty_works_in_a_linked_worktree_from_a_subfolder_and_with_a_split_index(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "worktree", "add", "-q", str(place / "w"), "other")
    git(place / "w", "config", "core.splitIndex", "true")
    git(place / "w", "update-index", "--split-index")
    (place / "w" / "file").write_text("changed\n")
    workspace = prepare(place, source="w", dirty=True)
    assert (workspace.path / "file").read_text() == "changed\n"
    assert (workspace.path / "other").read_text() == "other\n"


def test_a_change_of_the_same_size_and_time_as_the_index_is_seen(place: Path) -> None:
    make_repository(place / "r")
    index = (place / "r" / ".git" / "index").stat()
    file = place / "r" / "file"
    os.utime(file, ns=(index.st_mtime_ns, index.st_mtime_ns))
    git(place / "r", "update-index", "-q", "--refresh")
    index = (place / "r" / ".git" / "index").stat()
    file.write_text("owt\n")
    os.utime(file, ns=(index.st_mtime_ns, index.st_mtime_ns))
    os.utime(place / "r" / ".git" / "index", ns=(index.st_mtime_ns, index.st_mtime_ns))
    time.sleep(1.1)
    workspace = prepare(place, dirty=True)
    assert (workspace.path / "file").read_text() == "owt\n"


def test_dirty_is_refused_where_there_is_nothing_to_carry_or_no_way(place: Path) -> None:
    make_repository(place / "r")
    git(place, "clone", "-q", "--bare", "r", "b")
    with pytest.raises(RepositoryError, match="is bare"):
        prepare(place, source="b", dirty=True)
    (place / "run").rmdir()
    with pytest.raises(RepositoryError, match="on top of HEAD"):
        prepare(place, "other", dirty=True)


def test_dirty_is_refused_in_the_middle_of_a_conflict(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "switch", "-q", "other")
    (place / "r" / "file").write_text("theirs\n")
    commit(place / "r", "theirs")
    git(place / "r", "switch", "-q", "main")
    (place / "r" / "file").write_text("ours\n")
    commit(place / "r", "ours")
    merge = [
        "git",
        "-C",
        str(place / "r"),
        "-c",
        "user.name=U",
        "-c",
        "user.email=u@example.com",
        "merge",
        "-q",
        "other",
    ]
    assert subprocess.run(merge, capture_output=True, check=False).returncode == 1
    with pytest.raises(RepositoryError, match="middle of a conflict"):
        prepare(place, dirty=True)
    assert list((place / "run").iterdir()) == []


def test_repositories_within_and_filtered_files_stay_behind_with_a_notice(place: Path) -> None:
    make_repository(place / "r")
    (place / "r" / ".gitattributes").write_text("*.bin filter=lfs -text\n")
    (place / "r" / "old.bin").write_text("pointer\n")
    commit(place / "r", "lfs")
    (place / "r" / "old.bin").write_text("large content\n")
    (place / "r" / "new.bin").write_text("large content\n")
    (place / "r" / "plain").write_text("plain\n")
    make_repository(place / "r" / "nested")
    workspace = prepare(place, dirty=True)
    assert (workspace.path / "old.bin").read_text() == "pointer\n"
    assert (workspace.path / "plain").exists()
    assert not (workspace.path / "new.bin").exists()
    assert not (workspace.path / "nested").exists()
    assert any("nested/" in notice for notice in workspace.notices)
    assert any("new.bin" in notice and "old.bin" in notice for notice in workspace.notices)


@pytest.mark.parametrize("named", [False, True])
def test_what_the_user_ignores_everywhere_is_not_carried_along(place: Path, named: bool) -> None:
    make_repository(place / "r")
    rules = place / "home" / ("my-ignores" if named else ".config/git/ignore")
    rules.parent.mkdir(parents=True)
    rules.write_text("*.private\n")
    if named:
        (place / "home" / ".gitconfig").write_text("[core]\n\texcludesFile = ~/my-ignores\n")
    (place / "r" / "key.private").write_text("secret\n")
    (place / "r" / "public").write_text("public\n")
    workspace = prepare(place, dirty=True, environment={"HOME": str(place / "home")})
    assert (workspace.path / "public").exists()
    assert not (workspace.path / "key.private").exists()


def test_included_files_are_there_ignored_and_in_no_commit(place: Path) -> None:
    make_repository(place / "r")
    (place / "r" / ".env.example").write_text("A=1\n")
    (place / "r" / ".env").write_text("SECRET=1\n")
    (place / "r" / "ignored" / "deep").mkdir(parents=True)
    (place / "r" / "ignored" / "deep" / "tool").write_text("tool\n")
    (place / "r" / "ignored" / "deep" / "tool").chmod(0o755)
    workspace = prepare(place, include=[".env.example", "ignored/**/tool"])
    assert workspace.included == (".env.example", "ignored/deep/tool")
    assert (workspace.path / ".env.example").read_text() == "A=1\n"
    assert (workspace.path / "ignored" / "deep" / "tool").stat().st_mode & 0o111
    assert not (workspace.path / ".env").exists()
    assert git(workspace.path, "status", "--porcelain") == ""
    assert workspace.notices == ()


def test_included_links_are_not_followed_on_either_side(place: Path) -> None:
    (place / "outside").mkdir()
    (place / "outside" / "secret.log").write_text("secret\n")
    make_repository(place / "r")
    (place / "r" / "a.log").symlink_to(place / "outside" / "secret.log")
    (place / "r" / "ignored").symlink_to(place / "outside")
    commit(place / "r", "nothing of it is tracked but the link")
    (place / "r" / "ignored").unlink()
    (place / "r" / "ignored").mkdir()
    (place / "r" / "ignored" / "b.log").write_text("b\n")
    workspace = prepare(place, include=["*.log", "ignored/*"])
    assert workspace.included == ()
    assert any("a.log" in notice for notice in workspace.notices)
    assert sorted(path.name for path in (place / "outside").iterdir()) == ["secret.log"]


def test_a_file_that_only_the_user_ignores_is_not_included(place: Path) -> None:
    make_repository(place / "r")
    (place / "r" / ".git" / "info" / "exclude").write_text("private.txt\n")
    (place / "r" / "private.txt").write_text("secret\n")
    workspace = prepare(place, include=["private.txt"])
    assert workspace.included == ()
    assert not (workspace.path / "private.txt").exists()
    assert "not ignored in the workspace" in workspace.notices[0]


def test_an_include_without_a_match_and_one_in_a_bare_source_are_noticed(place: Path) -> None:
    make_repository(place / "r")
    assert "No ignored file matches" in prepare(place, include=["missing"]).notices[0]
    git(place, "clone", "-q", "--bare", "r", "b")
    subprocess.run(["rm", "-rf", str(place / "run")], check=True)
    assert "bare" in prepare(place, source="b", include=["x"]).notices[0]


def test_names_of_every_kind_are_checked_out(place: Path) -> None:
    make_repository(place / "r")
    names = [b"\xff\xfe", b"new\nline", b"n" * 255, b"-rf", b'"quoted"', b"\x1b[2J"]
    for name in names:
        (place / "r" / os.fsdecode(name)).write_text("x")
    commit(place / "r", "odd")
    workspace = prepare(place)
    assert set(names) <= {os.fsencode(path.name) for path in workspace.path.iterdir()}
    assert git(workspace.path, "status", "--porcelain") == ""


def test_a_source_whose_path_is_odd_works(place: Path) -> None:
    odd = 'a:b "c" \\ é'
    make_repository(place / odd)
    (place / odd / "new").write_text("new\n")
    workspace = prepare(place, source=odd, dirty=True)
    assert (workspace.path / "new").exists()


def test_five_thousand_files_are_all_there(place: Path) -> None:
    (place / "r").mkdir()
    git(place / "r", "init", "-q", "-b", "main")
    for number in range(5000):
        folder = place / "r" / str(number % 50)
        folder.mkdir(exist_ok=True)
        (folder / str(number)).write_text(str(number))
    commit(place / "r", "many")
    workspace = prepare(place)
    assert sum(1 for path in workspace.path.glob("*/*") if path.parent.name != ".git") == 5000
    assert git(workspace.path, "status", "--porcelain") == ""


def test_a_small_repository_is_prepared_quickly(place: Path) -> None:
    make_repository(place / "r")
    source = inspect_source(str(place / "r"), "", effective_uid=os.geteuid())
    owner = Identity(uid=os.geteuid(), gid=os.getegid())
    took = []
    for number in range(3):
        began = time.perf_counter()
        prepare_workspace(source, place / f"w{number}", index_copy=place / f"i{number}" / "index", owner=owner)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.5  # about 0.03 s on an idle machine


@pytest.mark.parametrize("history", ["branch", "full", "shallow"])
def test_packed_refs_are_as_git_itself_writes_them(history: str, place: Path) -> None:
    repository = make_repository(place / "r")
    git(repository, "tag", "-a", "annotated", "-m", "with words")
    workspace = prepare(place, history=history)
    packed = workspace.path / ".git" / "packed-refs"
    ours = packed.read_text()
    git(workspace.path, "pack-refs", "--all")
    assert packed.read_text() == ours
    assert ours.startswith("# pack-refs with: peeled ")
