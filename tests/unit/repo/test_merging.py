"""A merge takes its time, leaves a merged branch or the repository as it was, and needs a clean tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.errors import RepositoryError
from runner.model.identity import Identity
from runner.repo import merging
from runner.repo.git import GitOutput, run_git
from runner.repo.merging import Merged, merge_branch
from tests.unit.run.fake_host import git, sample_repository

HOURS = 6 * 3600.0


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a branch `work` of one commit that changes README."""
    repository = sample_repository(tmp_path)
    git(repository, "checkout", "--quiet", "-b", "work")
    (repository / "README").write_text("work\n", encoding="utf-8")
    git(repository, "commit", "--quiet", "--all", "--message", "work")
    git(repository, "checkout", "--quiet", "main")
    return repository


def merge(repository: Path) -> Merged:
    home = repository.parent
    (home / ".gitconfig").write_text("[user]\nname = Tester\nemail = tester@example.test\n", encoding="utf-8")
    stat = repository.stat()
    user = Identity(uid=stat.st_uid, gid=stat.st_gid)
    return merge_branch(repository, repository / ".git", "work", home=home, user=user, message="merge work")


def test_a_branch_that_goes_on_is_a_fast_forward(repository: Path) -> None:
    merged = merge(repository)
    assert (merged.into, merged.how, merged.head) == ("main", "fast-forward", git(repository, "rev-parse", "work"))
    assert (repository / "README").read_text(encoding="utf-8") == "work\n"


def test_conflicts_are_told_and_leave_the_repository_as_it_was(repository: Path) -> None:
    (repository / "README").write_text("mine\n", encoding="utf-8")
    git(repository, "commit", "--quiet", "--all", "--message", "mine")
    head = git(repository, "rev-parse", "HEAD")
    with pytest.raises(RepositoryError, match="work cannot be merged into main"):
        merge(repository)
    assert (git(repository, "rev-parse", "HEAD"), git(repository, "status", "--porcelain")) == (head, "")


@pytest.mark.parametrize("conflict", [False, True])
def test_neither_a_merge_nor_the_way_back_is_killed_within_hours(
    repository: Path, monkeypatch: pytest.MonkeyPatch, conflict: bool
) -> None:
    if conflict:
        (repository / "README").write_text("mine\n", encoding="utf-8")
        git(repository, "commit", "--quiet", "--all", "--message", "mine")
    deadlines: dict[tuple[str, ...], float] = {}

    def recording(argv: Any, **options: Any) -> GitOutput:
        deadlines[tuple(argv[:2])] = options.get("deadline", 60.0)
        return run_git(argv, **options)

    monkeypatch.setattr(merging, "run_git", recording)
    if conflict:
        with pytest.raises(RepositoryError):
            merge(repository)
    else:
        merge(repository)
    changing = {words: seconds for words, seconds in deadlines.items() if words[0] == "merge"}
    assert len(changing) == 1 + conflict
    assert min(changing.values()) > HOURS


def test_a_tree_that_is_not_clean_is_not_merged_into(repository: Path) -> None:
    (repository / "new").write_text("new\n", encoding="utf-8")
    with pytest.raises(RepositoryError, match="The work tree is not clean: new"):
        merge(repository)
