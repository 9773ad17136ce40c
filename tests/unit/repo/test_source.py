"""Every kind of repository works, or is refused with the reason."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import RepositoryError
from runner.repo.source import Source, inspect_source
from tests.unit.identities import IDENTITIES, ORDINARY_UID, as_user, shared_directory
from tests.unit.repo.sources import commit, fingerprint, git, make_repository


@pytest.fixture
def place() -> Iterator[Path]:
    with shared_directory() as directory:
        yield directory


def inspect(path: Path, base: str = "") -> Source:
    return inspect_source(str(path), base, effective_uid=os.geteuid())


def refusal(path: Path | str, base: str = "") -> RepositoryError:
    with pytest.raises(RepositoryError) as caught:
        inspect_source(str(path), base, effective_uid=os.geteuid())
    assert caught.value.exit_code == 30
    return caught.value


@pytest.mark.parametrize("uid", IDENTITIES)
def test_an_ordinary_repository_is_described(place: Path, uid: int) -> None:
    def attempt() -> Source:
        make_repository(place / "r")
        before = fingerprint(place / "r")
        source = inspect(place / "r")
        assert fingerprint(place / "r") == before
        return source

    source = as_user(uid, attempt)
    head = git(place / "r", "rev-parse", "HEAD")
    assert source.path == place / "r"
    assert source.git_dir == source.common_dir == place / "r" / ".git"
    assert source.object_dirs == (place / "r" / ".git" / "objects",)
    assert (source.owner.uid, source.owner.gid) == (uid, uid)
    assert (source.head_branch, source.base_branch) == ("main", "main")
    assert (source.base_sha, source.head_sha) == (head, head)
    assert set(source.branches) == {"refs/heads/main", "refs/heads/other"}
    assert set(source.tags) == {"refs/tags/v1"}
    assert (source.bare, source.shallow, source.base_is_root) == (False, (), False)
    assert (source.has_submodules, source.has_lfs, source.object_format) == (False, False, "sha1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root works for other users")
def test_root_works_as_the_owner_of_the_repository(place: Path) -> None:
    as_user(ORDINARY_UID, lambda: make_repository(place / "r"))
    source = inspect(place / "r")
    assert source.owner.uid == ORDINARY_UID
    user = source.user(0)
    assert user is not None
    assert user.uid == ORDINARY_UID


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a repository of another user")
def test_an_ordinary_user_cannot_use_another_users_repository(place: Path) -> None:
    make_repository(place / "r")
    with pytest.raises(RepositoryError, match="belongs to another user") as caught:
        as_user(ORDINARY_UID, lambda: inspect(place / "r"))
    assert "clone" in caught.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a repository of another user")
def test_a_repository_that_may_not_be_read_says_so(place: Path) -> None:
    make_repository(place / "r")
    (place / "r").chmod(0o700)
    with pytest.raises(RepositoryError, match="Permission denied"):
        as_user(ORDINARY_UID, lambda: inspect(place / "r"))


def test_a_folder_of_a_work_tree_means_its_repository(place: Path) -> None:
    make_repository(place / "r")
    assert inspect(place / "r" / "folder").path == place / "r"


def test_a_link_to_a_repository_and_a_linked_git_directory_work(place: Path) -> None:
    make_repository(place / "r")
    (place / "link").symlink_to("r")
    (place / "r" / ".git").rename(place / "elsewhere")
    (place / "r" / ".git").symlink_to(place / "elsewhere")
    source = inspect(place / "link")
    assert source.path == place / "r"
    assert source.head_branch == "main"


def test_a_linked_worktree_has_a_git_directory_of_its_own(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "worktree", "add", "-q", str(place / "w"), "other")
    source = inspect(place / "w")
    assert source.path == place / "w"
    assert source.common_dir == place / "r" / ".git"
    assert source.git_dir == place / "r" / ".git" / "worktrees" / "w"
    assert (source.head_branch, source.base_sha) == ("other", git(place / "r", "rev-parse", "other"))


def test_a_bare_repository_has_no_work_tree(place: Path) -> None:
    make_repository(place / "r")
    git(place, "clone", "-q", "--bare", "r", "b.git")
    source = inspect(place / "b.git")
    assert (source.bare, source.path, source.head_branch) == (True, place / "b.git", "main")


def test_the_remote_branches_of_a_bare_clone_count_as_branches(place: Path) -> None:
    make_repository(place / "r")
    git(place, "init", "-q", "--bare", "b.git", "-b", "main")
    git(place / "b.git", "fetch", "-q", "../r", "+refs/heads/*:refs/remotes/origin/*", "+main:main")
    source = inspect(place / "b.git", "other")
    assert source.base_branch == "other"
    assert source.base_sha == git(place / "r", "rev-parse", "other")
    assert set(source.branches) == {"refs/heads/main", "refs/heads/other"}


def test_a_shallow_clone_tells_where_it_ends(place: Path) -> None:
    make_repository(place / "r")
    git(place, "clone", "-q", "--depth=1", f"file://{place}/r", "s")
    source = inspect(place / "s")
    assert source.shallow == (source.base_sha,)


def test_a_detached_head_is_on_no_branch(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "checkout", "-q", "--detach", "HEAD~1")
    source = inspect(place / "r")
    assert (source.head_branch, source.base_branch, source.base_is_root) == ("", "", True)


def test_alternates_are_named(place: Path) -> None:
    make_repository(place / "r")
    git(place, "clone", "-q", "--shared", "r", "c")
    assert inspect(place / "c").object_dirs == (place / "c" / ".git" / "objects", place / "r" / ".git" / "objects")


def test_sha256_repositories_work(place: Path) -> None:
    make_repository(place / "r", object_format="sha256")
    source = inspect(place / "r")
    assert source.object_format == "sha256"
    assert len(source.base_sha) == 64


def test_submodules_and_lfs_are_noticed(place: Path) -> None:
    make_repository(place / "r")
    make_repository(place / "sub")
    git(place / "r", "submodule", "--quiet", "add", f"file://{place}/sub", "sub")
    (place / "r" / ".gitattributes").write_text("# *.old filter=lfs\n*.bin filter=lfs diff=lfs merge=lfs -text\n")
    commit(place / "r", "both")
    source = inspect(place / "r")
    assert (source.has_submodules, source.has_lfs) == (True, True)
    (place / "r" / ".gitattributes").write_text("# *.old filter=lfs\n")
    commit(place / "r", "only a comment")
    assert inspect(place / "r").has_lfs is False


@pytest.mark.parametrize(
    ("base", "meant", "branch"),
    [
        ("", "main", "main"),
        ("HEAD", "main", "main"),
        ("other", "other", "other"),
        ("refs/heads/other", "other", "other"),
        ("main~1", "main~1", ""),
        ("v1", "main", ""),
        ("HEAD^{/first}", "main~1", ""),
    ],
)
def test_a_base_is_any_revision(place: Path, base: str, meant: str, branch: str) -> None:
    make_repository(place / "r")
    source = inspect(place / "r", base)
    assert source.base_sha == git(place / "r", "rev-parse", meant)
    assert source.base_branch == branch


def test_an_abbreviated_id_is_a_base(place: Path) -> None:
    make_repository(place / "r")
    sha = git(place / "r", "rev-parse", "other")
    assert inspect(place / "r", sha[:9]).base_sha == sha


def test_a_tag_with_the_name_of_a_branch_is_what_git_means(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "tag", "other", "main")
    source = inspect(place / "r", "other")
    assert source.base_sha == git(place / "r", "rev-parse", "main")
    assert source.base_branch == ""


def test_a_directory_without_a_repository_is_refused(place: Path) -> None:
    error = refusal(place)
    assert "not in a git repository" in error.message
    assert "git init" in error.hint


def test_what_is_not_there_or_no_directory_is_refused(place: Path) -> None:
    (place / "file").touch()
    assert "there is no" in refusal(place / "miss\x1bing").message
    assert "\x1b" not in refusal(place / "miss\x1bing").message
    assert "not a directory" in refusal(place / "file").message
    assert "not a directory" in refusal("").message


def test_a_repository_without_commits_is_refused(place: Path) -> None:
    (place / "r").mkdir()
    git(place / "r", "init", "-q")
    assert "no commits yet" in refusal(place / "r").message
    assert "no commits yet" in refusal(place / "r", "main").message


def test_an_unborn_head_can_be_left_for_another_branch(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "symbolic-ref", "HEAD", "refs/heads/unborn")
    assert "no commits yet" in refusal(place / "r").message
    source = inspect(place / "r", "main")
    assert (source.head_branch, source.head_sha, source.base_branch) == ("", "", "main")


def test_an_unknown_base_is_named_with_the_nearest_branches(place: Path) -> None:
    make_repository(place / "r")
    error = refusal(place / "r", "othr")
    assert error.message.endswith("has no commit othr")
    assert error.hint == "there is other"


@pytest.mark.parametrize("base", ["-x", "--all", "a\nb", "a\0b", "x" * 1001, "main:file", "main..other", "^main", "--"])
def test_a_base_that_is_no_commit_or_steers_git_is_refused(place: Path, base: str) -> None:
    make_repository(place / "r")
    error = refusal(place / "r", base)
    assert "\n" not in error.message


def test_a_partial_clone_is_refused(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "config", "uploadpack.allowFilter", "true")
    git(place, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{place}/r", "p")
    assert "partial clone" in refusal(place / "p").message


def test_a_branch_named_paddock_stands_in_the_way(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "branch", "paddock")
    error = refusal(place / "r")
    assert "branch named paddock" in error.message
    assert "git branch -m paddock" in error.hint


def test_a_git_directory_itself_is_refused_and_the_work_tree_named(place: Path) -> None:
    make_repository(place / "r")
    assert "inside a repository's .git" in refusal(place / "r" / ".git").message


def test_a_repository_that_git_does_not_understand_says_why(place: Path) -> None:
    make_repository(place / "r")
    git(place / "r", "config", "core.repositoryformatversion", "1")
    git(place / "r", "config", "extensions.madeUp", "true")
    assert "unknown repository extension" in refusal(place / "r").message


def test_settings_of_the_repository_run_no_program(place: Path) -> None:
    make_repository(place / "r")
    canary = f"touch {place}/canary"
    for key in ("core.fsmonitor", "core.sshCommand", "core.pager", "alias.rev-parse"):
        git(place / "r", "config", key, f"!{canary}" if key.startswith("alias") else canary)
    inspect(place / "r")
    assert not (place / "canary").exists()


def test_a_repository_is_inspected_quickly(place: Path) -> None:
    make_repository(place / "r")
    began = time.perf_counter()
    inspect(place / "r")
    assert time.perf_counter() - began < 0.5  # about 0.015 s on an idle machine
