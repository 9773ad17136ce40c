"""A merge takes its time, leaves a merged branch or the repository as it was, and needs a clean tree."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from runner.errors import RepositoryError
from runner.model.identity import Identity
from runner.repo import merging
from runner.repo.git import GitOutput, run_git
from runner.repo.merging import Merged, merge_branch
from tests.unit.repo.sources import ENVIRONMENT
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


HOOKS = ("pre-merge-commit", "prepare-commit-msg", "commit-msg", "post-merge", "post-checkout", "post-index-change",
         "reference-transaction")  # fmt: skip
SILENT = {
    "hooks": (
        f"rm -f .git/hooks/*; for hook in {' '.join(HOOKS)}; do ln -s ../../run .git/hooks/$hook; done",
        "git merge work",
    ),
    "a folder of hooks": ("git config core.hooksPath hooks", "git merge work"),
    "a file watcher": ("git config core.fsmonitor ./run", "git merge work; git status"),
    "a signature": (
        "git config commit.gpgSign true; git config gpg.program ./run",
        "git merge work; git commit --allow-empty -m x",
    ),
    "an editor": ("git config core.editor ./run", "git merge work; git commit --amend"),
    "an external diff": ("git config diff.external ./run", "git merge work; git diff HEAD~1"),
    "a converter of texts": ("git config diff.x.textconv ./run", "git merge work; git diff HEAD~1"),
    "configuration in the tree": ("git config include.path ../planted", "git merge work; git status; git diff HEAD~1"),
}
REFUSED = {
    "a smudge filter": ("git config filter.x.smudge ./run", "git merge work; rm a.x; git checkout a.x"),
    "a clean filter": ("git config filter.x.clean ./run", "git merge work; touch -d 2001-01-01 a.x; git status"),
    "a process": ("git config filter.x.process ./run", "git merge work; rm a.x; git checkout a.x"),
    "a merge driver": (
        "git config merge.x.driver ':; ./run %A'",
        "git checkout -q work -- run; git commit -qm run; git merge work",
    ),
}


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A repository with tools of its own, and a branch `work` that makes canaries of them and changes two files."""
    repository = sample_repository(tmp_path)
    canary = tmp_path / "canary"
    script = f"""
    tools() {{
        printf '#!/bin/sh\\n%s\\ncat "$@"\\nexit 0\\n' "$1" >run; chmod +x run
        mkdir -p hooks; for hook in {" ".join(HOOKS)}; do cp run hooks/$hook; done
    }}
    tools :; seq 9 >a.x; seq 9 >b.y; printf '*.x filter=x diff=x merge=x\\n' >.gitattributes
    printf '[diff]\\n\\tcontext = 3\\n' >planted
    git add -A; git commit -qm base
    git checkout -q -b work
    tools 'touch {canary}'; echo work >>a.x; echo work >>b.y; printf '*.y filter=y\\n' >>.gitattributes
    printf '[diff]\\n\\texternal = ./run\\n[core]\\n\\tfsmonitor = ./run\\n\\thooksPath = hooks\\n' >planted
    printf '[filter "y"]\\n\\tsmudge = ./run\\n' >>planted
    git add -A; git commit -qm work
    git checkout -q main; sed -i s/1/one/ a.x; git commit -qam main
    """
    subprocess.run(["sh", "-euc", script], cwd=repository, env=ENVIRONMENT, check=True)
    return repository


def plant(repository: Path, lines: str) -> None:
    subprocess.run(["sh", "-euc", lines], cwd=repository, env=ENVIRONMENT, check=True)


@pytest.mark.parametrize(("planted", "control"), SILENT.values(), ids=SILENT)
def test_nothing_that_the_branch_brings_is_started(hostile: Path, planted: str, control: str) -> None:
    canary, head = hostile.parent / "canary", git(hostile, "rev-parse", "HEAD")
    plant(hostile, planted)
    merge(hostile)
    assert (hostile / "b.y").read_text().endswith("work\n")
    assert not canary.exists()

    plant(hostile, f"git -c core.hooksPath=/dev/null -c core.fsmonitor=false reset -q --hard {head}")
    canary.unlink(missing_ok=True)
    subprocess.run(["sh", "-c", f"{control}; true"], cwd=hostile, env=ENVIRONMENT, check=True)
    assert canary.exists(), "the attack cannot succeed anywhere"


@pytest.mark.parametrize(("planted", "control"), REFUSED.values(), ids=REFUSED)
def test_a_repository_with_programs_for_files_is_not_merged_into(hostile: Path, planted: str, control: str) -> None:
    canary, head = hostile.parent / "canary", git(hostile, "rev-parse", "HEAD")
    plant(hostile, planted)
    with pytest.raises(RepositoryError, match=r"programs for files \((filter|merge)\.x\."):
        merge(hostile)
    assert (git(hostile, "rev-parse", "HEAD"), canary.exists()) == (head, False)

    subprocess.run(["sh", "-c", f"{control}; true"], cwd=hostile, env=ENVIRONMENT, check=True)
    assert canary.exists(), "the attack cannot succeed anywhere"


def test_a_tree_that_is_not_clean_is_not_merged_into(repository: Path) -> None:
    (repository / "new").write_text("new\n", encoding="utf-8")
    with pytest.raises(RepositoryError, match="The work tree is not clean: new"):
        merge(repository)
