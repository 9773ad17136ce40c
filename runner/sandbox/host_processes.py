"""A container's processes, as this machine numbers them: read from its control group, where that can be seen."""

from __future__ import annotations

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
    if not first:
        return []
    try:
        lines = (proc / str(first) / "cgroup").read_text("ascii", "replace").splitlines()
    except OSError:
        return []
    groups = {path for _, _, path in (line.split(":", 2) for line in lines) if container in path and ".." not in path}
    for path in sorted(groups):
        for folder in _LISTS:
            try:
                found = (cgroup / folder / path.lstrip("/") / "cgroup.procs").read_text("ascii").split()
            except OSError:
                continue
            return [first, *(int(each) for each in found if int(each) != first)]
    return [first] if groups else []
