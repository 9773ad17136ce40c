"""A container's processes, as this machine numbers them: read from its control group, where that can be seen."""

from __future__ import annotations

import os
import signal
from pathlib import Path

_LISTS = ("pids", "unified", "memory", "")
"""Folders of /sys/fs/cgroup in which a group has the same path: cgroup v1 has one for each controller, v2 none."""


def processes_beside(
    first: int, container: str, *, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")
) -> list[int]:
    """Every process of the container whose first one is `first`, that one in front; none where it is not to be seen.

    An engine on another machine, or in another container, counts its processes in its own way: a number counts only
    when the kernel says that it is in a control group named after the container.
    """
    groups = _groups_of(first, container, proc)
    for path in sorted(set(groups.values())):
        for folder in _LISTS:
            try:
                found = (cgroup / folder / path / "cgroup.procs").read_text("ascii").split()
            except OSError:
                continue
            return [first, *(int(each) for each in found if int(each) != first)]
    return [first] if groups else []


def kill_beside(
    first: int, container: str, *, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")
) -> bool:
    """Kill the container's first process, with which the kernel kills all others (pid_namespaces(7)); whether it did.

    An engine needs a tenth of a second or two for that, in which an agent can write half a gigabyte. False where
    there is no such process, where it is not to be seen, or where this user may not kill it.
    """
    try:
        handle = os.pidfd_open(first)  # so that no other process can get its number meanwhile
    except (OSError, AttributeError):  # AttributeError: not on Linux
        return False
    try:
        if not processes_beside(first, container, proc=proc, cgroup=cgroup):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def freeze_beside(
    first: int, container: str, *, frozen: bool, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")
) -> bool:
    """Make all of the container stand still at once, or go on; whether the kernel took it, as it takes it of root only.

    What stands still already is somebody else's to let go on: that is not taken.

    See https://docs.kernel.org/admin-guide/cgroup-v2.html (`cgroup.freeze`) and cgroup-v1/freezer-subsystem.html.
    """
    groups = _groups_of(first, container, proc)
    if "freezer" in groups:
        place, word = cgroup / "freezer" / groups["freezer"] / "freezer.state", "FROZEN" if frozen else "THAWED"
    elif "" in groups:
        place, word = cgroup / groups[""] / "cgroup.freeze", "1" if frozen else "0"
    else:
        return False
    try:
        if frozen and place.read_text("ascii", "replace").strip() in {"1", "FROZEN", "FREEZING"}:
            return False
        with place.open("r+", encoding="ascii") as file:  # never made where it is not
            file.write(word)
    except OSError:
        return False
    return True


def _groups_of(first: int, container: str, proc: Path) -> dict[str, str]:
    """The groups of a process that are named after the container, by controller; `""`: cgroup v2's."""
    if not first:
        return {}
    try:
        lines = (proc / str(first) / "cgroup").read_text("ascii", "replace").splitlines()
    except OSError:
        return {}
    entries = (line.split(":", 2) for line in lines)
    return {
        controller: path.lstrip("/")
        for _, controllers, path in entries
        for controller in controllers.split(",")
        if container in path and ".." not in path
    }
