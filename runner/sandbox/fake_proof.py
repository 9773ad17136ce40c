"""The proof of a sandbox that has no kernel: what the shim would report of one that holds everything."""

from __future__ import annotations

from typing import Any

from runner.model.spec import SandboxSpec
from runner.sandbox.proof import GVISOR, NO_WAY, NXDOMAIN
from runner.sandbox.same_places import identity_of


def fake_proof(spec: SandboxSpec) -> dict[str, Any]:
    """What the shim would have read from a kernel that holds all of `spec`."""
    limits = spec.limits
    empty = ["0000000000000000"]
    return {
        "status": {
            "Uid": [str(spec.uid)] * 4,
            "Gid": [str(spec.gid)] * 4,
            "Groups": [],
            "NoNewPrivs": ["1"],
            "Seccomp": ["2"],
            **dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), empty),
        },
        "interfaces": ["lo"],
        "routes": [],
        "mounts": {
            "/": ["rw" if spec.writable_root else "ro"],
            **{mount.target: [mount.mode] for mount in spec.mounts},
            **{tmpfs.target: ["rw", "nosuid", "nodev"] for tmpfs in spec.tmpfs},
        },
        "places": {mount.target: identity for mount in spec.mounts if (identity := identity_of(mount.source))},
        "cgroup": {
            "memory": str(limits.memory),
            "swap": "0",
            "pids": str(limits.pids),
            "cpu": f"{round(limits.cpus * 100_000)} 100000",
            "period": None,
        },
        "rlimits": {
            "core": [0, 0],
            "fsize": [limits.file_size, limits.file_size],
            "nofile": [limits.open_files, limits.open_files],
        },
        "network": _fake_network() if spec.network == "gateway" else None,
        "kernel": GVISOR if spec.runtime == "runsc" else "#1 SMP",
    }


def _fake_network() -> dict[str, Any]:
    return {
        "fault": "",
        "canary": "paddock-canary-00.invalid",
        "lookup": "NO not-listed",
        "answer": NXDOMAIN,
        "unreachable": {address: "ENETUNREACH" for address in NO_WAY},
    }
