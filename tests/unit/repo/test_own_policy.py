"""The policy of a repository is read from the commit that a run begins at, byte for byte, and through no link."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from runner.errors import RepositoryError
from runner.repo.own_policy import MOST_BYTES, PLACE, read_own_policy
from runner.repo.source import inspect_source
from tests.unit.repo.sources import ENVIRONMENT, commit, git, make_repository

TEXT = b'description = "theirs"\n[limits]\npids = 7\n'


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return make_repository(tmp_path / "repository")


def write(place: Path, data: bytes = TEXT, path: str = PLACE) -> None:
    file = place / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def read(place: Path, base: str = "") -> bytes | None:
    source = inspect_source(str(place), base, effective_uid=os.geteuid())
    found = read_own_policy(source, effective_uid=os.geteuid())
    assert found is None or found.commit == source.base_sha
    return found.data if found else None


def refusal(place: Path) -> str:
    with pytest.raises(RepositoryError) as caught:
        read(place)
    assert caught.value.exit_code == 30
    assert caught.value.message.isprintable()
    assert "--no-repo-policy" in caught.value.hint
    return caught.value.message


def commit_tree(place: Path, listing: str) -> None:
    """A commit on HEAD whose tree is `listing`, as `git mktree` takes it."""
    sha = git(place, "commit-tree", "-p", "HEAD", "-m", "by hand", make_tree(place, listing))
    git(place, "update-ref", "HEAD", sha)


def make_tree(place: Path, listing: str) -> str:
    argv = ["git", "-C", str(place), "mktree", "--missing"]
    made = subprocess.run(argv, input=listing.encode(), capture_output=True, env=ENVIRONMENT, check=True)
    return made.stdout.decode().strip()


def test_a_repository_without_one_brings_none(place: Path) -> None:
    assert read(place) is None
    write(place, b"FROM debian\n", ".paddock/Dockerfile")
    commit(place, "an image")
    assert read(place) is None


def test_it_is_that_of_the_commit_and_not_of_the_work_tree_or_the_index(place: Path) -> None:
    write(place)
    commit(place, "policy")
    write(place, b"[network]\nmode = 'open'\n")
    git(place, "add", "--all")
    write(place, b"x")
    assert read(place) == TEXT
    assert read(place, "HEAD~1") is None
    (place / PLACE).unlink()
    assert read(place) == TEXT


def test_it_is_found_from_a_folder_below_and_in_a_bare_repository(place: Path, tmp_path: Path) -> None:
    write(place)
    commit(place, "policy")
    assert read(place / "folder") == TEXT
    git(tmp_path, "clone", "-q", "--bare", str(place), "bare")
    assert read(tmp_path / "bare") == TEXT


def test_attributes_filters_and_replacements_change_no_byte_of_it(place: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    write(place)
    write(place, b"* text eol=crlf ident filter=evil diff=evil\n", ".gitattributes")
    write(place, b"[network]\nmode = 'open'\n", "other")
    commit(place, "policy")
    git(place, "replace", git(place, "rev-parse", f"HEAD:{PLACE}"), git(place, "rev-parse", "HEAD:other"))
    (place / ".git/info/attributes").write_text("* working-tree-encoding=UTF-16 filter=evil\n")
    for key in ("filter.evil.smudge", "filter.evil.process", "diff.evil.textconv", "core.fsmonitor", "core.pager"):
        git(place, "config", key, f"touch {canary}; cat")
    assert "open" in git(place, "cat-file", "blob", f"HEAD:{PLACE}"), "a naive reader is led astray"
    assert read(place) == TEXT
    assert not canary.exists()


@pytest.mark.parametrize(
    "path",
    [
        ".Paddock/policy.toml",
        ".paddock/Policy.toml",
        ".paddock/policy.toml ",
        "x/.paddock/policy.toml",
        "paddock.toml",
        ".paddock.toml",
        ".paddock/policy.toml/x",
    ],
)
def test_only_the_one_name_counts(place: Path, path: str) -> None:
    write(place, path=path)
    commit(place, "elsewhere")
    if path.endswith("/x"):
        assert "is a folder" in refusal(place)
    else:
        assert read(place) is None


@pytest.mark.parametrize("target", ["../file", "/etc/passwd", "Dockerfile"])
def test_a_link_in_its_place_is_refused(place: Path, target: str) -> None:
    (place / ".paddock").mkdir()
    (place / PLACE).symlink_to(target)
    commit(place, "a link")
    assert "is a symbolic link" in refusal(place)


@pytest.mark.parametrize("target", ["folder", "/tmp", ".."])
def test_a_link_in_place_of_its_folder_is_refused(place: Path, target: str) -> None:
    write(place, path="folder/policy.toml")
    (place / ".paddock").symlink_to(target)
    commit(place, "a link")
    assert "is a symbolic link" in refusal(place)


def test_a_submodule_in_its_place_or_its_folders_is_refused(place: Path) -> None:
    head = git(place, "rev-parse", "HEAD")
    commit_tree(place, f"160000 commit {head}\t.paddock\n")
    assert "is a submodule" in refusal(place)


def test_a_file_in_place_of_its_folder_is_somebody_elses(place: Path) -> None:
    write(place, path=".paddock")
    commit(place, "a file")
    assert read(place) is None


def test_one_that_is_too_large_is_refused_unread(place: Path) -> None:
    write(place, b"#" * (MOST_BYTES + 1))
    commit(place, "large")
    assert "larger than 64 KiB" in refusal(place)
    write(place, b"#" * MOST_BYTES)
    commit(place, "as large as may be")
    assert read(place) == b"#" * MOST_BYTES


def test_a_folder_full_of_names_is_not_listed(place: Path) -> None:
    blob = git(place, "hash-object", "-w", "file")
    names = "".join(f"100644 blob {blob}\t{'n' * 200}{number:06}\n" for number in range(40_000))
    commit_tree(place, f"040000 tree {make_tree(place, names)}\t.paddock\n")
    assert read(place) is None


def test_a_commit_that_is_gone_is_refused_with_words(place: Path) -> None:
    write(place)
    commit(place, "policy")
    blob = git(place, "rev-parse", f"HEAD:{PLACE}")
    (place / ".git/objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(RepositoryError, match="lacks files of its own commit"):
        read(place)
