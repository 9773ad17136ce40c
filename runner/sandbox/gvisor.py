"""gVisor (`runsc`): a kernel of its own between sandbox and host, which shows less of itself inside.

Its control groups and the filter around its own processes are the host's, so they are read there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.sandbox.proof import GVISOR, Cgroup, Proof

_FILES = {
    "memory": ("memory.max", "memory/memory.limit_in_bytes"),
    "swap": ("memory.swap.max", "memory/memory.memsw.limit_in_bytes"),
    "pids": ("pids.max", "pids/pids.max"),
    "cpu": ("cpu.max", "cpu/cpu.cfs_quota_us"),
    "period": ("", "cpu/cpu.cfs_period_us"),
}
"""Where the host has each number: control groups v2, then v1."""


def completed(
    proof: Proof, processes: Sequence[int], *, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")
) -> Proof:
    """The proof of a gVisor sandbox, with what the host's kernel holds its processes to; of any other, as it is."""
    if proof.kernel != GVISOR or not processes:
        return proof
    place = proc / str(processes[0])
    group = _group(place)
    held = Cgroup(**{name: _number(cgroup, group, *files) for name, files in _FILES.items()})
    outside = dict(line.partition(":\t")[::2] for line in _text(place / "status").splitlines())
    status = {name: tuple(outside.get(name, "").split()) for name in ("Seccomp", "NoNewPrivs")}
    # There are no ambient capabilities in gVisor.
    status |= {"CapAmb": proof.status.get("CapAmb") or ("0",)}
    return proof.model_copy(update={"cgroup": held, "status": {**proof.status, **status}})


def _group(place: Path) -> str:
    """The path of a process's control group, the same for each controller; empty when it is not to be told."""
    paths = {line.split(":", 2)[2] for line in _text(place / "cgroup").splitlines()}
    found = sorted(path for path in paths if path != "/" and ".." not in path)
    return found[0].lstrip("/") if len(found) == 1 else ""


def _number(cgroup: Path, group: str, v2: str, v1: str) -> str | None:
    controller, _, name = v1.partition("/")
    for path in (cgroup / group / v2 if v2 else None, cgroup / controller / group / name):
        if group and path and (text := _text(path).strip()):
            return text
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return ""
