"""Artifacts on the host: what the collector says is not believed, and what the user has is not touched."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from runner.errors import RefusedError, StoreError
from runner.model.artifact import Artifact
from runner.store.artifacts import copy_artifacts, take_artifacts


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """What a collector wrote."""
    folder = tmp_path / "out"
    folder.mkdir()
    for number, text in enumerate(("one", "three", "seventeen")):
        (folder / str(number)).write_text(text)
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


def artifact(name: str, text: str) -> Artifact:
    return Artifact(name=name, size=len(text), sha256=hashlib.sha256(text.encode()).hexdigest())


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_files_get_their_names_and_nobody_may_execute_them(numbered: Path, kept: Path) -> None:
    (numbered / "1").chmod(0o6777)
    taken, failures = take_artifacts(numbered, [("report.md", 3), ("out/a.png", 5)], kept)
    assert (taken, failures) == ((artifact("report.md", "one"), artifact("out/a.png", "three")), ())
    assert tree(kept) == {"report.md": "one", "out/a.png": "three"}
    assert {oct(path.stat().st_mode & 0o7777) for path in kept.rglob("*") if path.is_file()} == {"0o600"}


def test_nothing_to_take_leaves_no_folder(numbered: Path, kept: Path) -> None:
    assert take_artifacts(numbered, [], kept) == ((), ())
    assert not kept.exists()


def test_taken_again_they_are_the_same_and_what_was_half_made_is_gone(numbered: Path, kept: Path) -> None:
    half = kept.with_name("artifacts.partial")
    half.mkdir()
    (half / "report.md").write_text("half")
    first = take_artifacts(numbered, [("report.md", 3)], kept)
    (kept / "stray").write_text("x")
    assert take_artifacts(numbered, [("report.md", 3)], kept) == first
    assert (tree(kept), half.exists()) == ({"report.md": "one"}, False)


@pytest.mark.parametrize("trick", ["link", "fifo", "folder", "gone", "longer", "shorter"])
def test_what_is_not_what_was_told_is_not_taken_and_the_others_are(numbered: Path, kept: Path, trick: str) -> None:
    target = numbered / "1"
    target.unlink()
    if trick == "link":
        target.with_name("there").write_text("12345")  # of the very size
        target.symlink_to("there")
    elif trick == "fifo":
        os.mkfifo(target)
    elif trick == "folder":
        target.mkdir()
    elif trick != "gone":
        target.write_text("longer than told" if trick == "longer" else "")
    taken, failures = take_artifacts(numbered, [("a", 3), ("b", 5), ("c", 9)], kept)
    assert [each.name for each in taken] == ["a", "c"]
    assert tree(kept) == {"a": "one", "c": "seventeen"}
    (failure,) = failures
    assert failure.startswith("the artifact b could not be kept: ")


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a/../../b", ".git/config", "a\nb", "", "-a", "a\x1b[2J"])
def test_a_name_that_leads_elsewhere_is_no_name(numbered: Path, kept: Path, name: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    taken, failures = take_artifacts(numbered, [(name, 3)], kept)
    assert (taken, len(failures), tree(kept)) == ((), 1, {})
    assert sorted(tmp_path.iterdir()) == sorted([*before, kept])
    assert failures[0].isprintable()


def test_two_files_cannot_be_one(numbered: Path, kept: Path) -> None:
    taken, failures = take_artifacts(numbered, [("a", 3), ("a", 5), ("a/b", 9)], kept)
    assert ([each.name for each in taken], len(failures), tree(kept)) == (["a"], 2, {"a": "one"})


def test_a_folder_that_is_a_link_is_not_taken_from(numbered: Path, kept: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(numbered)
    with pytest.raises(StoreError, match="the artifacts cannot be kept"):
        take_artifacts(tmp_path / "link", [("a", 3)], kept)
    assert not kept.exists()


@pytest.fixture
def run(numbered: Path, kept: Path) -> tuple[Artifact, ...]:
    return take_artifacts(numbered, [("report.md", 3), ("out/a.png", 5)], kept)[0]


def test_a_copy_is_made_where_the_user_wants_it(run: tuple[Artifact, ...], kept: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        copy_artifacts(run, kept, tmp_path / "mine")
    finally:
        os.umask(before)
    assert tree(tmp_path / "mine") == {"report.md": "one", "out/a.png": "three"}
    assert oct((tmp_path / "mine/report.md").stat().st_mode & 0o7777) == "0o644"


def test_nothing_is_overwritten_and_nothing_half_copied(run: tuple[Artifact, ...], kept: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    (mine / "out").mkdir(parents=True)
    (mine / "out/a.png").symlink_to("nowhere")
    with pytest.raises(RefusedError, match=r"has out/a.png already"):
        copy_artifacts(run, kept, mine)
    assert sorted(path.name for path in mine.rglob("*")) == ["a.png", "out"]


def test_no_link_is_followed_when_copying(run: tuple[Artifact, ...], kept: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "link").symlink_to(elsewhere)
    with pytest.raises(StoreError, match="cannot be copied"):
        copy_artifacts(run, kept, tmp_path / "link")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/out").symlink_to(elsewhere)
    with pytest.raises(StoreError, match="cannot be copied"):
        copy_artifacts(run, kept, tmp_path / "mine")
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("text", ["two", "longer", ""])
def test_a_file_that_was_changed_since_is_not_copied(
    run: tuple[Artifact, ...], kept: Path, tmp_path: Path, text: str
) -> None:
    (kept / "report.md").write_text(text)
    with pytest.raises(StoreError, match="cannot be copied"):
        copy_artifacts(run, kept, tmp_path / "mine")
    assert not (tmp_path / "mine/report.md").exists()
