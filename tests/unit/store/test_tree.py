"""Measuring, opening up and removing what an agent left behind."""

from __future__ import annotations

import os
import resource
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from runner.errors import StoreError
from runner.store.tree import make_readable, measure_tree, remove_tree
from tests.unit.identities import IDENTITIES, as_user, shared_directory


@pytest.fixture
def place() -> Iterator[Path]:
    with shared_directory() as directory:
        yield directory


@pytest.fixture(params=IDENTITIES, ids=lambda uid: "as root" if uid == 0 else "as an ordinary user")
def uid(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def deep_tree(root: Path, depth: int, name: bytes = b"d") -> None:
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def odd_names(root: Path) -> list[bytes]:
    root.mkdir()
    names = [b"n" * 255, b"new\nline", b"\xff\xfe not utf-8", b"-rf", b" ", b"\x1b[2J", "\u202e".encode(), b"*"]
    for name in names:
        directory = root / os.fsdecode(name)
        directory.mkdir()
        (directory / os.fsdecode(name)).write_bytes(b"x" * 5000)
    return names


def test_a_tree_takes_the_blocks_of_its_files_and_directories(place: Path) -> None:
    tree = place / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "file").write_bytes(b"x" * 10_000)
    (tree / "sparse").touch()
    os.truncate(tree / "sparse", 2**40)
    size = measure_tree(tree)
    expected = sum(path.lstat().st_blocks * 512 for path in [tree, *tree.rglob("*")])
    assert (size.bytes, size.entries, size.unread) == (expected, 3, 0)


def test_a_hard_linked_file_is_counted_once(place: Path) -> None:
    tree = place / "tree"
    tree.mkdir()
    (tree / "one").write_bytes(b"x" * 40_960)
    alone = measure_tree(tree).bytes
    for number in range(7):
        os.link(tree / "one", tree / f"link{number}")
    size = measure_tree(tree)
    assert size.entries == 8
    assert size.bytes == pytest.approx(alone, abs=8)


def test_measuring_stops_early_when_there_is_more_than_enough(place: Path) -> None:
    tree = place / "tree"
    for number in range(50):
        (tree / str(number)).mkdir(parents=True)
        (tree / str(number) / "file").touch()
    assert 60 < measure_tree(tree, enough=60).entries < 100


def test_measuring_what_is_not_there_is_an_error_of_the_store(place: Path) -> None:
    with pytest.raises(StoreError, match="cannot read the directory"):
        measure_tree(place / "missing")


def test_symbolic_links_are_counted_and_never_followed(place: Path) -> None:
    outside = place / "outside"
    outside.mkdir()
    (outside / "canary").write_bytes(b"x" * 1_000_000)
    tree = place / "tree"
    tree.mkdir()
    (tree / "to-directory").symlink_to(outside)
    (tree / "to-file").symlink_to(outside / "canary")
    (tree / "loop").symlink_to(".")
    assert measure_tree(tree).entries == 3
    assert measure_tree(tree).bytes < 100_000
    make_readable(tree)
    assert remove_tree(tree) == []
    assert not tree.exists()
    assert (outside / "canary").read_bytes() == b"x" * 1_000_000


def test_a_root_that_is_a_symbolic_link_is_refused_or_only_unlinked(place: Path) -> None:
    (place / "target").mkdir()
    (place / "target" / "canary").touch()
    (place / "link").symlink_to(place / "target")
    with pytest.raises(StoreError):
        measure_tree(place / "link")
    with pytest.raises(StoreError):
        make_readable(place / "link")
    assert remove_tree(place / "link") == []
    assert not (place / "link").is_symlink()
    assert (place / "target" / "canary").exists()


def test_pipes_sockets_and_files_are_removed_without_being_opened(place: Path) -> None:
    tree = place / "tree"
    tree.mkdir()
    os.mkfifo(tree / "pipe")
    assert measure_tree(tree).entries == 1
    assert make_readable(tree) == []
    assert remove_tree(tree) == []
    assert remove_tree(tree) == []


def test_directories_of_mode_000_are_measured_and_stay_as_they_are(place: Path, uid: int) -> None:
    def attempt() -> tuple[int, int, int]:
        hidden = place / "tree" / "hidden"
        hidden.mkdir(parents=True)
        (hidden / "big").write_bytes(b"x" * 100_000)
        hidden.chmod(0o000)
        (place / "tree").chmod(0o000)
        size = measure_tree(place / "tree")
        mode = (place / "tree").stat().st_mode
        (place / "tree").chmod(0o700)
        return size.bytes, mode & 0o777, hidden.stat().st_mode & 0o777

    size, outer, inner = as_user(uid, attempt)
    assert size > 100_000
    assert (outer, inner) == (0, 0)


def test_directories_of_mode_000_are_removed(place: Path, uid: int) -> None:
    def attempt() -> list[str]:
        for name in ("a", "b/c/d"):
            (place / "tree" / name).mkdir(parents=True)
            (place / "tree" / name / "file").touch(mode=0o000)
        for name in ("a", "b/c/d", "b/c", "b", "."):
            (place / "tree" / name).chmod(0o000)
        return remove_tree(place / "tree")

    assert as_user(uid, attempt) == []
    assert not (place / "tree").exists()


def test_making_readable_opens_directories_and_files_and_takes_set_id_bits(place: Path, uid: int) -> None:
    def attempt() -> tuple[list[str], dict[str, int]]:
        tree = place / "tree"
        (tree / "closed").mkdir(parents=True)
        (tree / "closed" / "secret").write_text("kept")
        (tree / "tool").touch()
        (tree / "plain").touch()
        (tree / "plain").chmod(0o644)
        (tree / "closed" / "secret").chmod(0o000)
        (tree / "tool").chmod(0o6755)
        (tree / "closed").chmod(0o000)
        left = make_readable(tree)
        return left, {path.name: path.stat().st_mode & 0o7777 for path in tree.rglob("*")}

    left, modes = as_user(uid, attempt)
    assert left == []
    assert modes == {"closed": 0o700, "secret": 0o400, "tool": 0o755, "plain": 0o644}


def test_a_tree_ten_thousand_deep_is_measured_opened_and_removed_with_few_descriptors(place: Path, uid: int) -> None:
    def attempt() -> tuple[int, list[str], list[str]]:
        deep_tree(place / "tree", 10_000)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = sum(1 for _ in Path("/proc/self/fd").iterdir())
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(used + 48, 64), before[1]))
        try:
            return measure_tree(place / "tree").entries, make_readable(place / "tree"), remove_tree(place / "tree")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert as_user(uid, attempt) == (10_001, [], [])
    assert not (place / "tree").exists()


def test_a_deep_tree_with_branches_on_every_level_is_measured_and_removed(place: Path) -> None:
    here = place / "tree"
    for _ in range(100):
        for branch in ("a", "b"):
            (here / branch / "x" / "y").mkdir(parents=True)
            (here / branch / "x" / "y" / "file").touch()
        here = here / "d"
    here.mkdir()
    assert measure_tree(place / "tree").entries == 100 * (2 * 4 + 1)
    assert remove_tree(place / "tree") == []


def test_names_of_every_kind_are_measured_and_removed(place: Path, uid: int) -> None:
    def attempt() -> tuple[int, list[str]]:
        names = odd_names(place / "tree")
        return measure_tree(place / "tree").entries - 2 * len(names), remove_tree(place / "tree")

    assert as_user(uid, attempt) == (0, [])
    assert not (place / "tree").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")
def test_what_belongs_to_another_user_is_reported_by_an_escaped_name_and_the_rest_is_removed(place: Path) -> None:
    foreign = place / "tree" / "for\neign"
    foreign.mkdir(parents=True)
    (foreign / "kept").touch()
    (place / "tree" / "own").touch()
    os.chown(place / "tree", 1000, 1000)
    (place / "tree" / "own").chmod(0o000)

    left = as_user(1000, lambda: remove_tree(place / "tree"))
    assert any(r"for\x0aeign/kept: Permission denied" in line for line in left)
    assert all("\n" not in line for line in left)
    assert [path.name for path in (place / "tree").iterdir()] == ["for\neign"]
    assert remove_tree(place / "tree") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of another user")
def test_directories_of_another_user_that_cannot_be_read_are_counted_as_unread(place: Path) -> None:
    closed = place / "tree" / "closed"
    closed.mkdir(parents=True)
    closed.chmod(0o000)
    size = as_user(1000, lambda: measure_tree(place / "tree"))
    assert (size.entries, size.unread) == (1, 1)
    assert measure_tree(place / "tree").unread == 0


def test_measuring_survives_a_tree_that_changes_all_the_time(place: Path) -> None:
    tree = place / "tree"
    tree.mkdir()
    done = threading.Event()

    def churn() -> None:
        number = 0
        while not done.is_set():
            number += 1
            made = tree / f"n{number % 7}"
            deep_tree(made, 60)
            moved = tree / f"moved{number}"
            made.rename(moved)
            remove_tree(moved)

    writer = threading.Thread(target=churn)
    writer.start()
    try:
        for _ in range(200):
            assert measure_tree(tree).bytes > 0
    finally:
        done.set()
        writer.join()
    assert remove_tree(tree) == []


def test_a_directory_swapped_for_a_link_during_removal_is_not_entered(place: Path) -> None:
    outside = place / "outside"
    outside.mkdir()
    (outside / "canary").touch()
    tree = place / "tree"
    tree.mkdir()
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            try:
                (tree / "x").mkdir()
                (tree / "x").rmdir()
                (tree / "x").symlink_to(outside)
                (tree / "x").unlink()
            except OSError:
                with suppress(FileExistsError):
                    tree.mkdir()

    attacker = threading.Thread(target=swap)
    attacker.start()
    try:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            remove_tree(tree)
    finally:
        done.set()
        attacker.join()
    assert (outside / "canary").exists()


def test_five_thousand_files_are_measured_quickly(place: Path) -> None:
    tree = place / "tree"
    for directory in range(50):
        (tree / str(directory)).mkdir(parents=True)
        for number in range(100):
            os.close(os.open(tree / str(directory) / str(number), os.O_CREAT | os.O_WRONLY))
    best = min(_seconds(tree) for _ in range(3))
    assert measure_tree(tree).entries == 5050
    assert best < 0.2  # about 0.02 s on an idle machine
    assert remove_tree(tree) == []


def _seconds(tree: Path) -> float:
    began = time.perf_counter()
    measure_tree(tree)
    return time.perf_counter() - began


def test_set_id_bits_of_a_directory_do_not_stop_its_removal(place: Path) -> None:
    tree = place / "tree"
    tree.mkdir()
    tree.chmod(0o7000)
    assert stat.S_IMODE(tree.stat().st_mode) == 0o7000
    assert remove_tree(tree) == []
