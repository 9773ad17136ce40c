"""A container's processes are those that the kernel says are in its control group."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.sandbox.host_processes import freeze_beside, kill_beside, processes_beside

BOX = "c0ffee" * 10


def host(folder: Path, groups: str, lists: dict[str, str]) -> tuple[Path, Path]:
    """A /proc and a /sys/fs/cgroup in which process 7 is in these groups."""
    (folder / "proc/7").mkdir(parents=True)
    (folder / "proc/7/cgroup").write_text(groups)
    for path, text in lists.items():
        place = folder / "cgroup" / path / "cgroup.procs"
        place.parent.mkdir(parents=True)
        place.write_text(text)
    return folder / "proc", folder / "cgroup"


@pytest.mark.parametrize(
    ("groups", "lists", "expected"),
    [
        (f"0::/docker/{BOX}\n", {f"docker/{BOX}": "9\n7\n8\n"}, [7, 9, 8]),
        (f"0::/system.slice/docker-{BOX}.scope\n", {f"system.slice/docker-{BOX}.scope": "7\n"}, [7]),
        (
            f"5:pids:/docker/{BOX}\n4:memory:/docker/{BOX}\n0::/\n",
            {f"pids/docker/{BOX}": "7\n11\n", f"memory/docker/{BOX}": "7\n"},
            [7, 11],
        ),
        (f"5:pids:/docker/{BOX}\n", {}, [7]),
        (f"0::/docker/{'d' * 60}\n", {f"docker/{'d' * 60}": "7\n"}, []),
        (f"0::/../{BOX}\n", {BOX: "7\n"}, []),
    ],
    ids=["v2", "systemd", "v1", "no list", "of another container", "seen from within another container"],
)
def test_processes_of_a_group(tmp_path: Path, groups: str, lists: dict[str, str], expected: list[int]) -> None:
    proc, cgroup = host(tmp_path, groups, lists)
    assert processes_beside(7, BOX, proc=proc, cgroup=cgroup) == expected


def test_what_is_not_there_has_none(tmp_path: Path) -> None:
    assert processes_beside(0, BOX) == []
    assert processes_beside(7, BOX, proc=tmp_path, cgroup=tmp_path) == []


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the test's."""
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_container_s_first_process_is_killed(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    (tmp_path / str(sleeper.pid)).mkdir()
    (tmp_path / str(sleeper.pid) / "cgroup").write_text(f"0::/docker/{BOX}\n")
    assert kill_beside(sleeper.pid, BOX, proc=tmp_path, cgroup=tmp_path)
    assert sleeper.wait(10) == -9


def test_a_process_that_is_not_in_the_container_s_group_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    assert not kill_beside(sleeper.pid, BOX)
    assert not kill_beside(2**22 - 1, BOX), "no process has that number"
    with pytest.raises(subprocess.TimeoutExpired):
        sleeper.wait(0.2)


@pytest.mark.parametrize(
    ("groups", "file", "words"),
    [
        (f"0::/docker/{BOX}\n", f"docker/{BOX}/cgroup.freeze", ("1", "0")),
        (f"6:freezer:/docker/{BOX}\n0::/\n", f"freezer/docker/{BOX}/freezer.state", ("FROZEN", "THAWED")),
        (f"6:cpu,freezer:/docker/{BOX}\n", f"freezer/docker/{BOX}/freezer.state", ("FROZEN", "THAWED")),
    ],
    ids=["v2", "v1", "v1, with another controller"],
)
def test_a_group_is_frozen_and_thawed(tmp_path: Path, groups: str, file: str, words: tuple[str, str]) -> None:
    proc, cgroup = host(tmp_path, groups, {})
    place = cgroup / file
    for frozen, word in zip((True, False), words, strict=True):
        assert not freeze_beside(7, BOX, frozen=frozen, proc=proc, cgroup=cgroup), "a kernel without it"
        assert not place.exists()
        place.parent.mkdir(parents=True)
        place.write_text("")
        assert freeze_beside(7, BOX, frozen=frozen, proc=proc, cgroup=cgroup)
        assert place.read_text() == word
        place.unlink()
        place.parent.rmdir()


@pytest.mark.parametrize("state", ["1\n", "FROZEN\n", "FREEZING\n"])
def test_what_somebody_else_froze_stays_theirs(tmp_path: Path, state: str) -> None:
    proc, cgroup = host(tmp_path, f"0::/docker/{BOX}\n", {})
    place = cgroup / f"docker/{BOX}/cgroup.freeze"
    place.parent.mkdir(parents=True)
    place.write_text(state)
    assert not freeze_beside(7, BOX, frozen=True, proc=proc, cgroup=cgroup)
    assert place.read_text() == state


def test_what_is_in_no_group_of_the_container_is_not_frozen(tmp_path: Path) -> None:
    proc, cgroup = host(tmp_path, "6:freezer:/elsewhere\n0::/\n", {})
    assert not freeze_beside(7, BOX, frozen=True, proc=proc, cgroup=cgroup)
    assert not freeze_beside(0, BOX, frozen=True)
