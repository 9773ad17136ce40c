"""A repository out of nothing: the user's own first commit, and none of the user's programs started by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import RepositoryError
from runner.repo.beginning import begin_repository, find_author
from tests.unit.repo.sources import git

AUTHOR = ("Ada Lovelace", "ada@example.test")


def home_of(tmp_path: Path, config: str, place: str = ".gitconfig") -> dict[str, str]:
    path = tmp_path / "home" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(config)
    return {"HOME": str(tmp_path / "home")}


@pytest.mark.parametrize("place", [".gitconfig", ".config/git/config"])
def test_the_author_is_whom_the_users_configuration_names(place: str, tmp_path: Path) -> None:
    config = "[user]\n name = Ada Lovelace\n email = ada@example.test\n"
    assert find_author(home_of(tmp_path, config, place)) == AUTHOR


def test_a_configuration_that_is_included_counts(tmp_path: Path) -> None:
    environment = home_of(tmp_path, "[include]\n path = ~/more\n")
    home_of(tmp_path, "[user]\n name = Ada Lovelace\n email = ada@example.test\n", "more")
    assert find_author(environment) == AUTHOR


def test_variables_beat_the_configuration(tmp_path: Path) -> None:
    environment = home_of(tmp_path, "[user]\n name = Somebody\n email = ada@example.test\n")
    assert find_author({**environment, "GIT_AUTHOR_NAME": "Ada Lovelace"}) == AUTHOR


@pytest.mark.parametrize("config", ["", "[user]\n name = Ada\n", "[user]\n name =\n email = a@example.test\n"])
def test_a_user_whom_git_does_not_know_is_told_how_to_mend_that(config: str, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="does not know who you are") as caught:
        find_author(home_of(tmp_path, config))
    assert "git config --global user.name" in caught.value.hint


def test_the_first_commit_holds_all_files_on_main(tmp_path: Path) -> None:
    folder = tmp_path / "-odd name"
    folder.mkdir()
    (folder / "research.md").write_text("found\n")
    (folder / "-n").write_text("x\n")
    (folder / ".gitignore").write_text("*.md\n")
    head = begin_repository(folder, author=AUTHOR, message="Begin\n\n# no comment")
    assert git(folder, "rev-parse", "refs/heads/main") == head
    assert git(folder, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert git(folder, "ls-tree", "--name-only", "HEAD").splitlines() == ["-n", ".gitignore", "research.md"]
    assert git(folder, "log", "--format=%an <%ae> %cn %B") == (
        "Ada Lovelace <ada@example.test> Ada Lovelace Begin\n\n# no comment"
    )
    assert git(folder, "status", "--porcelain", "--ignored") == ""
    assert not (folder / ".git" / "hooks").exists()


def test_a_filter_that_came_with_the_files_is_not_started(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / ".gitattributes").write_text("* filter=evil text\n")
    (folder / "data").write_bytes(b"plain\n")
    begin_repository(folder, author=AUTHOR, message="Begin")
    assert git(folder, "show", "HEAD:data") == "plain"
