"""What gVisor does not show inside is taken from the host's kernel, and from nowhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.sandbox.fake_proof import fake_proof
from runner.sandbox.gvisor import completed
from runner.sandbox.proof import GVISOR, Proof, parse_proof, shortfalls
from tests.unit.sandbox.specs import spec_for

SPEC = spec_for().model_copy(update={"runtime": "runsc"})
LIMITS = SPEC.limits
V2 = {
    "memory.max": str(LIMITS.memory),
    "memory.swap.max": "0",
    "pids.max": str(LIMITS.pids),
    "cpu.max": f"{round(LIMITS.cpus * 100_000)} 100000",
}
V1 = {
    "memory/{}/memory.limit_in_bytes": str(LIMITS.memory),
    "memory/{}/memory.memsw.limit_in_bytes": str(LIMITS.memory),
    "pids/{}/pids.max": str(LIMITS.pids),
    "cpu/{}/cpu.cfs_quota_us": str(round(LIMITS.cpus * 100_000)),
    "cpu/{}/cpu.cfs_period_us": "100000",
}


def shown_inside(**changes: Any) -> Proof:
    """What the first process reports of gVisor: no control group, no filter, no ambient set, no options of a tmpfs."""
    document = fake_proof(SPEC)
    document["cgroup"] = dict.fromkeys(document["cgroup"])
    document["status"] |= {"NoNewPrivs": [], "Seccomp": ["0"], "CapAmb": []}
    document["mounts"] |= {tmpfs.target: ["rw"] for tmpfs in SPEC.tmpfs}
    return parse_proof(json.dumps(document | changes).encode())


def host(folder: Path, files: dict[str, str], *, group: str = "docker/box", filtered: str = "2") -> dict[str, Path]:
    """A host whose process 7 is in that group."""
    (folder / "proc/7").mkdir(parents=True)
    (folder / "proc/7/cgroup").write_text(f"5:pids:/{group}\n1:memory:/{group}\n0::/\n")
    (folder / "proc/7/status").write_text(f"Name:\trunsc\nSeccomp:\t{filtered}\nNoNewPrivs:\t1\n")
    for name, text in files.items():
        path = folder / "cgroup" / (name.format(group) if "{}" in name else f"{group}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return {"proc": folder / "proc", "cgroup": folder / "cgroup"}


@pytest.mark.parametrize("files", [V1, V2], ids=["v1", "v2"])
def test_what_the_host_holds_it_to_completes_the_proof(tmp_path: Path, files: dict[str, str]) -> None:
    proof = shown_inside()
    assert shortfalls(SPEC, proof) != []
    assert shortfalls(SPEC, completed(proof, [7], **host(tmp_path, files))) == []


@pytest.mark.parametrize(
    ("files", "filtered", "says"),
    [
        ({**V2, "pids.max": "max"}, "2", "the process limit is max"),
        ({**V2, "memory.max": "max"}, "2", "the memory limit is max"),
        ({}, "2", "the memory limit is None"),
        (V2, "0", "no seccomp filter"),
    ],
)
def test_what_the_host_does_not_hold_is_a_shortfall(
    tmp_path: Path, files: dict[str, str], filtered: str, says: str
) -> None:
    found = shortfalls(SPEC, completed(shown_inside(), [7], **host(tmp_path, files, filtered=filtered)))
    assert [text for text in found if says in text] != []


def test_another_kernel_under_that_name_is_a_shortfall_and_completes_nothing(tmp_path: Path) -> None:
    proof = shown_inside(kernel="#1 SMP")
    assert completed(proof, [7], **host(tmp_path, V2)) == proof
    assert 'the runtime is "runsc", but the kernel inside is #1 SMP' in shortfalls(SPEC, proof)
    plain = spec_for()
    assert shortfalls(plain, parse_proof(json.dumps(fake_proof(plain) | {"kernel": GVISOR}).encode())) != []


def test_where_its_processes_cannot_be_seen_nothing_is_completed() -> None:
    proof = shown_inside()
    assert completed(proof, []) == proof
