"""Files appear whole, lines stay lines, reads end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.errors import StoreError
from runner.store.files import append_line, read_bounded, write_whole


def test_a_written_file_has_the_content_and_the_mode_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_whole(tmp_path / "a", "grüße\n", mode=0o644)
        write_whole(tmp_path / "b", b"\xff", durable=True)
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_text(encoding="utf-8") == "grüße\n"
    assert [(path.name, path.stat().st_mode & 0o777) for path in sorted(tmp_path.iterdir())] == [
        ("a", 0o644),
        ("b", 0o600),
    ]


def test_writing_replaces_a_symbolic_link_and_leaves_its_target(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("untouched")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "link", "new")
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "untouched"


def test_a_write_that_fails_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(StoreError, match="taken cannot be written: Is a directory"):
        write_whole(tmp_path / "taken", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_lines_are_appended_and_a_line_break_is_refused(tmp_path: Path) -> None:
    append_line(tmp_path / "log", "one")
    append_line(tmp_path / "log", "two")
    assert (tmp_path / "log").read_text() == "one\ntwo\n"
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ValueError, match="line break"):
        append_line(tmp_path / "log", "a\nb")


def test_appending_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("untouched")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(StoreError):
        append_line(tmp_path / "link", "line")
    assert (tmp_path / "target").read_text() == "untouched"


def test_a_bounded_read_returns_files_up_to_the_limit_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    assert read_bounded(tmp_path / "file", 100) == b"x" * 100
    with pytest.raises(StoreError, match="larger than 99 bytes"):
        read_bounded(tmp_path / "file", 99)


@pytest.mark.parametrize("kind", ["missing", "link", "pipe", "directory"])
def test_a_bounded_read_refuses_what_is_no_regular_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "thing"
    if kind == "link":
        path.symlink_to("/etc/hostname")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    with pytest.raises(StoreError, match="thing"):
        read_bounded(path, 1000)
