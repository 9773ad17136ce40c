"""The tag by content changes with everything that an image is made from, and with nothing else."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from runner.sandbox.build_context import context_archive, read_context
from runner.sandbox.images import content_tag


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sample"
    (folder / "etc").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "etc" / "motd").write_text("hello\n")
    return folder


def test_a_tag_names_the_folder_and_twelve_digits(folder: Path) -> None:
    name, _, digits = content_tag(folder, "debian", ()).partition(":")

    assert name == "paddock/sample"
    assert len(digits) == 12
    assert set(digits) <= set("0123456789abcdef")


def test_the_tag_is_the_same_for_a_copy_made_later_under_another_umask(folder: Path, tmp_path: Path) -> None:
    before = content_tag(folder, "debian", ())
    os.utime(folder / "Dockerfile", (0, 0))
    (folder / "Dockerfile").chmod(0o600)

    assert content_tag(folder, "debian", ()) == before


@pytest.mark.parametrize("change", ["bytes", "name", "mode", "new file", "base", "root"])
def test_the_tag_changes_with(change: str, folder: Path, tmp_path: Path) -> None:
    before = content_tag(folder, "debian", ())
    base, roots = "debian", []
    match change:
        case "bytes":
            (folder / "etc" / "motd").write_text("hullo\n")
        case "name":
            (folder / "etc" / "motd").rename(folder / "etc" / "issue")
        case "mode":
            (folder / "etc" / "motd").chmod(0o755)
        case "new file":
            (folder / "empty").touch()
        case "base":
            base = "debian2"
        case _:
            roots = [tmp_path / "company.crt"]
            roots[0].write_text("PEM")

    assert content_tag(folder, base, roots) != before


def test_bytes_cannot_move_between_neighbouring_files_unseen(tmp_path: Path) -> None:
    tags = set()
    for number, (first, second) in enumerate([("ab", "c"), ("a", "bc"), ("abc", "")]):
        folder = tmp_path / str(number) / "sample"
        folder.mkdir(parents=True)
        (folder / "a").write_text(first)
        (folder / "b").write_text(second)
        tags.add(content_tag(folder, "debian", ()))

    assert len(tags) == 3


def test_a_link_out_of_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")

    assert [file.path for file in read_context(folder, ())] == ["Dockerfile", "etc/motd"]


def test_the_archive_holds_the_files_and_the_roots_and_is_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "company.crt"
    root.write_text("PEM")
    files = read_context(folder, [root])
    archive = context_archive(files)

    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        assert opened.getnames() == ["extra-roots", "Dockerfile", "etc/motd", "extra-roots/company.crt"]
    assert context_archive(files) == archive
