"""A container's processes are those that the kernel says are in its control group."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.sandbox.host_processes import processes_beside

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
