"""Everything that runs could leave behind, counted before and after."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from docker import APIClient

from runner.store.runs import RunPaths, runs_directory
from tests.hostile.real_run import processes_that_name

KEPT = frozenset(
    (
        *("task.json", "policy.json", "spec.json", "events.jsonl", "agent.log", "result.json", "record.json"),
        *("policy_files.json", "changes.bundle", "diff.patch", "egress.jsonl"),
    )
)
"""What may be in the directory of a run that is over."""


def of_engine(client: APIClient, state: Path) -> Iterator[str]:
    """Containers, volumes and networks of a state directory."""
    chosen = {"label": f"paddock.state={state}"}
    for container in client.containers(all=True, filters=chosen):
        yield f"container {container['Names'][0]}: {container['Status']}"
    for volume in client.volumes(filters=chosen)["Volumes"] or ():
        yield f"volume {volume['Name']}"
    for network in client.networks(filters=chosen):
        yield f"network {network['Name']}"


def of_machine(state: Path, temporary: Path) -> Iterator[str]:
    """Processes, mounts, locks and temporary files."""
    yield from (f"process: {line}" for line in processes_that_name(state))
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if str(state) in line:
            yield f"mount: {line}"
    files = {path.lstat().st_ino: path for path in state.rglob("*")}
    for line in Path("/proc/locks").read_text().splitlines():
        inode = int(next(word for word in line.split() if word.count(":") == 2).rpartition(":")[2])
        if inode in files:
            yield f"lock: {files[inode]}"
    yield from (f"temporary file: {path.name}" for path in temporary.iterdir())


def of_this_process() -> list[str]:
    """Open descriptors and threads, once what nobody waits for has ended and what nobody holds is gone."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread():
            thread.join(timeout=10)
    gc.collect()
    names = [thread.name for thread in threading.enumerate()]
    for link in Path("/proc/self/fd").iterdir():
        try:
            names.append(f"descriptor of {os.readlink(link)}")  # noqa: PTH115 - it is no path of the disk
        except OSError:  # the one with which the folder is read
            continue
    return sorted(name if "socket:" not in name and "pipe:" not in name else name.split("[")[0] for name in names)


def of_runs(state: Path) -> Iterator[str]:
    """What the directories of runs that are over hold and should not."""
    for folder in runs_directory(state).iterdir():
        if not RunPaths(folder).result.exists():
            yield f"{folder.name} has no result"
        yield from (f"{folder.name}/{each.name}" for each in folder.iterdir() if each.name not in KEPT)


def of_repository(repository: Path) -> Iterator[str]:
    """Locks and half-made files of git's."""
    for path in (repository / ".git").rglob("*"):
        if path.name.endswith(".lock") or path.name.startswith(("tmp_", "incoming-")):
            yield f"in the user's repository: {path.relative_to(repository)}"
