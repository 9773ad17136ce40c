"""Artifacts as the collector takes them: ordinary ones, and what an agent may put in their place."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import artifacts as inside
from globs import Globs, Search
from runner.model import artifact as on_the_host
from runner.repo.evidence import CollectorReport
from tests.unit.repo.collection_kit import Collected, Stage, git

CAPS = [on_the_host.MOST_FILES, on_the_host.MOST_BYTES, on_the_host.MOST_BYTES_TOGETHER]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def ask(stage: Stage, *globs: str, **changes: Any) -> CollectorReport:
    return stage.run_collector(artifacts=globs, **({"artifact_caps": CAPS} | changes))


def names(report: CollectorReport) -> list[str]:
    return sorted(file.name for file in report.artifacts)


def taken(stage: Stage, report: CollectorReport) -> dict[str, bytes]:
    folder = stage.root / "out/artifacts"
    assert sorted(path.name for path in folder.iterdir()) == sorted(map(str, range(len(report.artifacts))))
    return {file.name: (folder / str(number)).read_bytes() for number, file in enumerate(report.artifacts)}


def write(stage: Stage, *paths: str, text: str = "text\n") -> None:
    for path in paths:
        (stage.work / path).parent.mkdir(parents=True, exist_ok=True)
        (stage.work / path).write_text(text)


def whole(stage: Stage, *globs: str) -> Collected:
    return stage.collect(artifacts=globs, artifact_caps=CAPS)


# ---- what comes, and what becomes of the commits


def test_files_come_by_name_and_glob_also_where_git_ignores_them(stage: Stage) -> None:
    write(stage, "report.md", "out/a.png", "out/b.txt", "out/deep/c.png")
    write(stage, ".gitignore", text="out/\n")
    report = ask(stage, "report.md", "out/*.png")
    assert taken(stage, report) == {"out/a.png": b"text\n", "report.md": b"text\n"}
    assert (report.problems, report.notes) == ((), ())


def test_an_artifact_that_git_does_not_know_is_no_uncommitted_work(stage: Stage) -> None:
    write(stage, "report.md", "left.txt", "out/a.png", "out/b.txt")
    collected = whole(stage, "report.md", "out/*.png")
    assert collected.files() == {"left.txt", "out/b.txt", "readme.txt", "src/main.py"}
    assert names(collected.report) == ["out/a.png", "report.md"]


def test_artifacts_alone_make_no_commit(stage: Stage) -> None:
    write(stage, "report.md")
    report = ask(stage, "report.md")
    assert (report.branches, report.uncommitted, names(report)) == ((), False, ["report.md"])


def test_a_file_that_git_knows_stays_gits_and_is_handed_over_as_it_is_now(stage: Stage) -> None:
    write(stage, "readme.txt", text="half done\n")
    collected = whole(stage, "readme.txt")
    assert collected.content("readme.txt") == "half done"
    assert taken(stage, collected.report) == {"readme.txt": b"half done\n"}


def test_a_file_where_git_knows_a_folder_does_not_hide_that_the_folder_is_gone(stage: Stage) -> None:
    (stage.work / "src/main.py").unlink()
    (stage.work / "src").rmdir()
    write(stage, "src")
    collected = whole(stage, "src")
    assert collected.files() == {"readme.txt", "src"}


def test_a_committed_file_is_in_the_commit_and_among_the_artifacts(stage: Stage) -> None:
    stage.commit("done", path="report.md")
    collected = whole(stage, "report.md")
    assert (collected.subjects(), names(collected.report)) == (["done"], ["report.md"])


def test_what_is_left_out_of_the_artifacts_is_uncommitted_work_as_ever(stage: Stage) -> None:
    write(stage, "big.md", text="x" * 101)
    collected = stage.collect(artifacts=["big.md"], artifact_caps=[10, 100, 1000])
    assert "big.md" in collected.files()
    assert collected.report.notes == ("Left out of the artifacts: big.md: it is larger than 100 bytes",)


def test_artifacts_come_out_of_a_workspace_without_a_history(stage: Stage) -> None:
    write(stage, "report.md")
    (stage.work / ".git").rename(stage.root / "gone")
    collected = whole(stage, "report.md")
    assert (names(collected.report), collected.report.salvaged) == (["report.md"], True)
    assert "report.md" in collected.files()  # it may have been in the history that is gone


def test_a_folder_means_all_that_is_in_it(stage: Stage) -> None:
    write(stage, "out/a", "out/b/c", "outside")
    assert names(ask(stage, "out/")) == ["out/a", "out/b/c"]


def test_a_glob_that_names_nothing_is_told(stage: Stage) -> None:
    assert ask(stage, "no\x1b[31m.md", "x").notes == (
        "No file matches the artifact no\\x1b[31m.md",
        "No file matches the artifact x",
    )


def test_without_a_glob_nothing_is_looked_for(stage: Stage) -> None:
    write(stage, "report.md")
    assert ask(stage).artifacts == ()
    assert not (stage.root / "out/artifacts").exists()


# ---- what an agent may put there instead


def left_out(stage: Stage, name: str = "report.md", **changes: Any) -> str:
    """Why the one file does not come."""
    report = ask(stage, "report.md", "out/*", **changes)
    assert report.artifacts == ()
    start = f"Left out of the artifacts: {name}: "
    (why,) = [note for note in report.notes if note.startswith(start)]
    return why.removeprefix(start)


def test_a_link_is_not_followed(stage: Stage) -> None:
    (stage.work / "report.md").symlink_to("/etc/passwd")
    assert left_out(stage) == "it is no regular file"


def test_a_folder_that_is_a_link_is_not_entered(stage: Stage) -> None:
    secret = stage.root / "secret"
    secret.mkdir()
    (secret / "key").write_text("private")
    (stage.work / "out").symlink_to(secret)
    report = ask(stage, "out/*", "**/key")
    assert report.artifacts == ()
    assert report.notes == ("No file matches the artifact out/*", "No file matches the artifact **/key")


def test_a_fifo_a_socket_and_a_device_are_not_opened(stage: Stage) -> None:
    os.mkfifo(stage.work / "report.md")
    assert left_out(stage) == "it is no regular file"
    (stage.work / "report.md").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(stage.work / "report.md"))
        shutil_out(stage)
        assert left_out(stage) == "it is no regular file"


def shutil_out(stage: Stage) -> None:
    """The host makes a new folder for each collection."""
    for path in sorted((stage.root / "out").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def test_a_second_name_of_a_file_does_not_come(stage: Stage) -> None:
    os.link(stage.work / ".git/config", stage.work / "report.md")
    assert left_out(stage) == "it has another name (a hard link)"


def test_a_huge_sparse_file_costs_nothing(stage: Stage) -> None:
    with (stage.work / "report.md").open("wb") as file:
        file.truncate(2**40)
    begin = time.monotonic()
    report = stage.run_collector(artifacts=["report.md"], artifact_caps=CAPS, leftovers=False)
    assert time.monotonic() - begin < 5
    assert report.notes == (f"Left out of the artifacts: report.md: it is larger than {CAPS[1]} bytes",)


def test_the_files_together_are_bounded(stage: Stage) -> None:
    write(stage, "out/a", "out/b", "out/c", text="x" * 60)
    report = ask(stage, "out", artifact_caps=[10, 100, 130])
    assert names(report) == ["out/a", "out/b"]
    assert report.notes == ("Left out of the artifacts: out/c: the artifacts together would be too large",)


def test_very_many_files_are_counted_and_the_first_ones_come(stage: Stage) -> None:
    (stage.work / ".gitignore").write_text("out\n")
    (stage.work / "out").mkdir()
    for number in range(3000):
        (stage.work / f"out/{number:04}").touch()
    report = ask(stage, "out/*", artifact_caps=[100, 100, 1000])
    assert names(report) == [f"out/{number:04}" for number in range(100)]
    assert len(report.notes) == inside.TOLD + 1
    assert report.notes[-1] == f"And {3000 - 100 - inside.TOLD} more files that the artifacts' globs name were left out"


@pytest.mark.parametrize(
    ("name", "shown", "why"),
    [
        (b"a\nb", "a\\nb", "its name has characters that cannot be shown as they are"),
        (b"\x1b[2Jx", "\\x1b[2Jx", "its name has characters that cannot be shown as they are"),
        ("a\u202egnp.exe".encode(), "a\\u202egnp.exe", "its name has characters that cannot be shown as they are"),
        (b"\xff\xfe", "\\xff\\xfe", "its name is not UTF-8"),
        (b"back\\slash", "back\\slash", "its name has characters that cannot be shown as they are"),
        (b"-rf", "-rf", "its name is no plain one"),
        (b" ", " ", "its name is no plain one"),
        (b".GIT", ".GIT", "its name is no plain one"),
        (b"...", "...", "its name is no plain one"),
    ],
)
def test_an_odd_name_does_not_come(stage: Stage, name: bytes, shown: str, why: str) -> None:
    (stage.work / "out").mkdir()
    Path(os.fsdecode(bytes(stage.work / "out") + b"/" + name)).write_text("x")
    assert left_out(stage, f"out/{shown}") == why


def test_a_name_of_255_bytes_comes(stage: Stage) -> None:
    write(stage, "out/" + "n" * 255)
    assert names(ask(stage, "out/*")) == ["out/" + "n" * 255]


def test_of_two_names_that_differ_in_capitals_one_comes(stage: Stage) -> None:
    write(stage, "out/Report.md", "out/report.md")
    report = ask(stage, "out")
    assert names(report) == ["out/Report.md"]
    assert "another one has the same name but for capitals or accents" in report.notes[0]


def test_nothing_of_a_git_folder_comes(stage: Stage) -> None:
    nested = stage.work / "nested"
    nested.mkdir()
    git(nested, "init", "-q")
    write(stage, "nested/file")
    (stage.work / ".gitignore").write_text("nested\n")
    report = ask(stage, "nested", "**", "**/config")
    assert names(report) == [".gitignore", "nested/file", "readme.txt", "src/main.py"]
    assert report.notes == ("No file matches the artifact **/config",)


def test_modes_that_forbid_to_read_do_not_hide_a_file(stage: Stage) -> None:
    write(stage, "out/a")
    (stage.work / "out/a").chmod(0)
    (stage.work / "out").chmod(0)
    assert taken(stage, ask(stage, "out/*")) == {"out/a": b"text\n"}


def test_the_search_ends_in_time_and_the_rest_of_the_work_is_collected(stage: Stage) -> None:
    write(stage, "out/a", "left.txt")
    collected = stage.collect(artifacts=["out"], artifact_caps=CAPS, artifact_seconds=-1.0)
    assert collected.report.artifacts == ()
    assert collected.report.notes[-1].startswith("Not everything was looked at: the search for artifacts ended after")
    assert collected.files() == {"left.txt", "out/a", "readme.txt", "src/main.py"}


# ---- globs


def found(top: Path, *globs: str) -> set[str]:
    search = Search(bytes(top), Globs(list(globs)), time.monotonic() + 10)
    return {os.fsdecode(entry.path)[len(str(top)) + 1 :] for entry in search.files()}


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("a.md", {"a.md"}),
        ("*.md", {"a.md", "é.md"}),
        ("?.md", {"a.md", "é.md"}),
        ("**/*.md", {"a.md", "é.md", "d/b.md", "d/e/c.md"}),
        ("d/**/c.md", {"d/e/c.md"}),
        ("d/**", {"d/b.md", "d/e/c.md"}),
        ("**/e/**", {"d/e/c.md"}),
        ("[!a].md", {"é.md"}),
        ("d/*/c.md", {"d/e/c.md"}),
        ("*/c.md", set()),
        ("./a.md", {"a.md"}),
    ],
)
def test_globs_mean_what_they_mean_elsewhere(tmp_path: Path, glob: str, expected: set[str]) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    for name in ("a.md", "é.md", "d/b.md", "d/e/c.md"):
        (tmp_path / name).touch()
    assert found(tmp_path, glob) == expected


def test_a_glob_of_many_stars_is_no_trap(tmp_path: Path) -> None:
    (tmp_path / ("a" * 250)).touch()
    begin = time.monotonic()
    assert found(tmp_path, "*a" * 60 + "b", "**/" * 60 + "b") == set()
    assert time.monotonic() - begin < 2


TEXTS = st.text(st.sampled_from("ab/.-~ \\\n\u202eéGITgit1"), min_size=1, max_size=12) | st.text(min_size=1, max_size=8)


@given(TEXTS)
def test_the_collector_and_the_host_know_the_same_names(text: str) -> None:
    if any(part in {"", ".", ".."} for part in text.split("/")) or "\0" in text:
        return  # no path that a walk over a tree comes upon
    try:
        path = text.encode()
    except UnicodeEncodeError:
        path = text.encode("utf-8", "surrogateescape") if all("\udc80" <= c <= "\udcff" for c in text) else b"\xff"
    try:
        name = inside.host_name(path)
    except inside.LeftOutError:
        name = ""
    try:
        expected = on_the_host.check_artifact_name(text)
    except ValueError:
        expected = ""
    assert name == expected
    assert inside.same_name(text) == on_the_host.same_name(text)
