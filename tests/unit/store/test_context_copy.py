"""What is given along is copied whole, for the agent to read, or refused with the file that stands in the way."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from runner.errors import RefusedError
from runner.model.identity import Identity
from runner.store import context_copy
from runner.store.context_copy import context_names, copy_files, real_context

AGENT = Identity(uid=1000, gid=1000) if os.geteuid() == 0 else Identity(uid=os.geteuid(), gid=os.getegid())


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A folder with a file, a tool, a folder and two links inside."""
    folder = tmp_path / "given"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "notes.md").write_text("notes\n")
    (folder / "deep" / "tool").write_text("#!/bin/sh\n")
    (folder / "deep" / "tool").chmod(0o700)
    (folder / "deep" / "up").symlink_to("../notes.md")
    (folder / "absolute").symlink_to(folder / "deep")
    (folder / "secret").write_text("only mine\n")
    (folder / "secret").chmod(0o600)
    return folder


def copied(tmp_path: Path, *sources: Path) -> Path:
    target = tmp_path / "copy"
    target.mkdir()
    copy_files(dict(zip(context_names([str(path) for path in sources]), sources, strict=True)), target, owner=AGENT)
    return target


def refusal(tmp_path: Path, source: Path) -> str:
    with pytest.raises(RefusedError) as caught:
        copied(tmp_path, source)
    assert caught.value.message.startswith("--context: ")
    return caught.value.message


def test_names_are_the_last_parts_and_a_second_one_is_numbered() -> None:
    given = ("/a/research.md", "/b/research.md", "/c/research.md", "/d/data/", "/e/data", "/", "/f/.env", "/g/.env")
    assert context_names(given) == (
        "research.md",
        "research-2.md",
        "research-3.md",
        "data",
        "data-2",
        "root",
        ".env",
        ".env-2",
    )


def test_a_name_that_is_numbered_already_is_not_taken_twice() -> None:
    assert context_names(("/a/x", "/b/x-2", "/c/x")) == ("x", "x-2", "x-3")


def test_a_folder_arrives_with_all_that_is_in_it(tmp_path: Path, given: Path) -> None:
    copy = copied(tmp_path, given) / "given"
    assert sorted(str(path.relative_to(copy)) for path in copy.rglob("*")) == [
        "absolute",
        "deep",
        "deep/er",
        "deep/tool",
        "deep/up",
        "notes.md",
        "secret",
    ]
    assert (copy / "deep" / "up").read_text() == "notes\n"
    assert [str((copy / name).readlink()) for name in ("absolute", "deep/up")] == ["deep", "../notes.md"]


def test_the_copy_is_the_agents_to_read_whatever_the_originals_mode_is(tmp_path: Path, given: Path) -> None:
    copy = copied(tmp_path, given)
    found = {path.name: path.lstat() for path in copy.rglob("*")}
    assert {(entry.st_uid, entry.st_gid) for entry in found.values()} == {(AGENT.uid, AGENT.gid)}
    modes = {name: stat.S_IMODE(entry.st_mode) for name, entry in found.items()}
    assert (modes["secret"], modes["tool"], modes["deep"]) == (0o644, 0o755, 0o755)


def test_files_and_folders_of_one_name_stand_beside_each_other(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "research.md").write_text(folder)
    copy = copied(tmp_path, tmp_path / "a/research.md", tmp_path / "b/research.md")
    assert ((copy / "research.md").read_text(), (copy / "research-2.md").read_text()) == ("a", "b")


@pytest.mark.parametrize("leads", ["/etc/hostname", "../outside", "nowhere", "../given-too/x", "loop"])
def test_a_link_that_leads_out_or_nowhere_is_refused(leads: str, tmp_path: Path, given: Path) -> None:
    (tmp_path / "outside").write_text("x")
    (tmp_path / "given-too").mkdir()
    (tmp_path / "given-too" / "x").write_text("x")
    (given / "deep" / "loop").symlink_to(leads)
    assert "deep/loop is a link that leads out of what was given" in refusal(tmp_path, given)


def test_sockets_and_fifos_are_refused(tmp_path: Path, given: Path) -> None:
    os.mkfifo(given / "deep" / "pipe")
    assert "deep/pipe is a socket, a FIFO or a device" in refusal(tmp_path, given)
    (given / "deep" / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(given, os.O_RDONLY)
        try:
            listener.bind(f"/proc/self/fd/{here}/s")
        finally:
            os.close(here)
    (tmp_path / "copy" / "given").rename(tmp_path / "before")
    (tmp_path / "copy").rmdir()
    assert "given/s is a socket" in refusal(tmp_path, given)


def test_too_much_is_refused_with_the_file_at_which_it_was(
    tmp_path: Path, given: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context_copy, "MOST_BYTES", 2**20)
    (given / "deep" / "er" / "large").write_bytes(b"x" * (2**20 + 1))
    message = refusal_with(given, tmp_path, bytes_left=2**20)
    assert "deep/er/large is too much: 1MiB in all" in message


def refusal_with(given: Path, tmp_path: Path, **left: int) -> str:
    copy = context_copy._Copy(AGENT, **left)
    with pytest.raises(RefusedError) as caught:
        copy.folder(given, tmp_path / "copy")
    return caught.value.message


def test_too_many_are_refused(tmp_path: Path, given: Path) -> None:
    assert "is one too many" in refusal_with(given, tmp_path, entries_left=3)


def test_just_enough_is_taken(tmp_path: Path, given: Path) -> None:
    copy = context_copy._Copy(AGENT, entries_left=8, bytes_left=26)
    copy.folder(given, tmp_path / "copy")
    assert (copy.entries_left, copy.bytes_left) == (0, 0)


def test_what_is_too_deep_is_refused(tmp_path: Path, given: Path) -> None:
    (given / "/".join("d" * context_copy.MOST_LEVELS)).mkdir(parents=True)
    assert "folders deep" in refusal(tmp_path, given)


@pytest.mark.parametrize(("path", "says"), [("missing", "does not exist"), ("pipe", "neither a regular file")])
def test_what_cannot_be_given_is_refused_before_anything_is_copied(path: str, says: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RefusedError, match=says):
        real_context(str(tmp_path / path))


def test_a_link_that_is_given_itself_is_followed(tmp_path: Path, given: Path) -> None:
    (tmp_path / "link.md").symlink_to(given / "notes.md")
    assert real_context(str(tmp_path / "link.md")) == (given / "notes.md").resolve()


def test_odd_names_are_copied_and_told_escaped(tmp_path: Path, given: Path) -> None:
    odd = os.fsdecode(b"a\xff\x1b'\"`b")
    (given / odd).write_text("odd\n")
    copied(tmp_path, given)
    assert (tmp_path / "copy" / "given" / odd).read_text() == "odd\n"
    with pytest.raises(RefusedError) as caught:
        real_context(str(tmp_path / "missing\x1b"))
    assert r"missing\x1b" in caught.value.message
