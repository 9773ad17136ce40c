"""What an agent kept of its own is copied for its next run, and nothing that leads elsewhere."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from runner.errors import StoreError
from runner.model.identity import Identity
from runner.store.tree_copy import MOST_LEVELS, copy_tree

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
