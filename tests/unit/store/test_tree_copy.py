"""What an agent kept of its own is copied for its next run, and nothing that leads elsewhere."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runner.errors import StoreError
from runner.model.identity import Identity
from runner.store.tree import remove_tree
from runner.store.tree_copy import MOST_LEVELS, copy_tree

MIB = 1024 * 1024
SELF = Identity(uid=os.geteuid() or 4242, gid=os.getegid() or 4242)


def test_files_and_folders_are_copied_and_belong_to_the_agent(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_text("text")
    (tmp_path / "a" / "run").write_text("#!")
    (tmp_path / "a" / "run").chmod(0o6755)
    assert copy_tree(tmp_path / "a", tmp_path / "z", owner=SELF) == 0
    assert (tmp_path / "z" / "b" / "c").read_text() == "text"
    assert (tmp_path / "z" / "run").stat().st_mode & 0o7777 == 0o700
    assert {path.stat().st_uid for path in (tmp_path / "z").rglob("*")} == {SELF.uid}


def test_links_sockets_and_fifos_are_left_out_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    (tmp_path / "secret").write_text("of the host")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "folder-link").symlink_to(tmp_path)
    os.mkfifo(folder / "fifo")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as there:
        there.bind("socket")
    (folder / "kept").write_text("kept")
    assert copy_tree(folder, tmp_path / "z", owner=SELF) >= 3
    assert [path.name for path in (tmp_path / "z").iterdir()] == ["kept"]


def test_a_tree_that_is_too_deep_is_cut(tmp_path: Path) -> None:
    deep = tmp_path / "a"
    for _ in range(MOST_LEVELS + 10):
        deep /= "d"
    deep.mkdir(parents=True)
    assert copy_tree(tmp_path / "a", tmp_path / "z", owner=SELF) == 1
    assert len(list((tmp_path / "z").rglob("*"))) == MOST_LEVELS


def test_a_copy_never_goes_into_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "z").mkdir()
    with pytest.raises(StoreError, match="File exists"):
        copy_tree(tmp_path / "a", tmp_path / "z", owner=SELF)


def test_a_sparse_file_is_not_written_out_in_full(tmp_path: Path) -> None:
    """It takes nothing of the disk limit under which the agent made it."""
    (tmp_path / "a").mkdir()
    with (tmp_path / "a" / "huge").open("wb") as file:
        file.truncate(4 * MIB)
    (tmp_path / "a" / "kept").write_text("kept")
    assert copy_tree(tmp_path / "a", tmp_path / "z", owner=SELF, most_bytes=MIB) == 1
    assert [path.name for path in (tmp_path / "z").iterdir()] == ["kept"]


def test_one_file_under_many_names_does_not_become_many(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0").write_bytes(bytes(MIB))
    for number in range(1, 20):
        (tmp_path / "a" / str(number)).hardlink_to(tmp_path / "a" / "0")
    assert copy_tree(tmp_path / "a", tmp_path / "z", owner=SELF, most_bytes=4 * MIB) == 16
    assert sum(path.stat().st_size for path in (tmp_path / "z").iterdir()) == 4 * MIB


def test_more_files_than_there_may_be_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for number in range(20):
        (tmp_path / "a" / "b" / str(number)).touch()
    assert copy_tree(tmp_path / "a", tmp_path / "z", owner=SELF, most_entries=11) == 10
    assert len(list((tmp_path / "z").rglob("*"))) == 11


def test_names_that_are_too_long_together_do_not_keep_the_agent_from_going_on(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "kept").write_text("kept")
    here = os.getcwd()  # noqa: PTH109 - put back below
    try:
        os.chdir(tmp_path / "a")
        for _ in range(20):
            os.mkdir("n" * 250)  # noqa: PTH102 - the path as a whole is too long to be named
            os.chdir("n" * 250)
        Path("last").write_text("last")
    finally:
        os.chdir(here)
    assert copy_tree(tmp_path / "a", tmp_path / "z", owner=SELF) >= 1
    assert (tmp_path / "z" / "kept").read_text() == "kept"
    assert remove_tree(tmp_path / "a") == []
