"""The proof at start: what the kernel holds a sandbox to, against what its spec says.

The shim sends it before anything of the agent runs; the host compares and answers `go`, or refuses.
`parse_proof` reads bytes from a sandbox and so takes nothing for granted; `shortfalls` is pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from pydantic import ValidationError

from runner.errors import UnenforceableError
from runner.model.base import Record
from runner.model.spec import SandboxSpec

MAX_PROOF = 256 * 1024
NXDOMAIN = 3
GVISOR = "#1 SMP Sun Jan 10 15:06:54 PST 2016"
"""What gVisor's kernel calls its version, whatever it really is."""
NO_WAY = {
    "192.0.2.1": frozenset({"ENETUNREACH"}),
    "2001:db8::1": frozenset({"ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"}),  # the latter without IPv6
}
"""The addresses that the shim tries, and what no way there looks like."""


class Cgroup(Record):
    """The control group's own numbers, as text; `None` where the kernel shows no such file."""

    memory: str | None
    swap: str | None
    pids: str | None
    cpu: str | None
    period: str | None


class NetworkProof(Record):
    """What the shim met when it tried the network that it serves, before the agent."""

    fault: str
    """Why it could not serve; empty when DNS is bound, over UDP and TCP, and the gateway speaks."""
    canary: str
    """A name under `.invalid` that nothing allows."""
    lookup: str = ""
    """The gateway's own line on the canary."""
    answer: int | None = None
    """The code with which DNS inside answered for it."""
    unreachable: dict[str, str]
    """Addresses of nobody -> how the kernel refused a way there, as in `ENETUNREACH`."""


class Proof(Record):
    """What the first process of a sandbox read from its kernel."""

    status: dict[str, tuple[str, ...]]
    interfaces: tuple[str, ...]
    routes: tuple[str, ...]
    mounts: dict[str, tuple[str, ...]]
    places: dict[str, tuple[int, int]] = {}
    """Device and inode of what is mounted where."""
    cgroup: Cgroup
    rlimits: dict[str, tuple[int, int]]
    network: NetworkProof | None = None
    """`None` where the shim serves no network."""
    kernel: str = ""
    """The version that the kernel gives itself."""


def parse_proof(data: bytes) -> Proof:
    """A proof from one JSON line. Raises `UnenforceableError` for anything else."""
    try:
        return Proof.model_validate(json.loads(data), strict=False)
    except (ValueError, RecursionError, ValidationError) as error:
        raise UnenforceableError(
            "The sandbox did not show what the kernel applied to it.",
            hint="The image's python3 may be broken or replaced; try the base image.",
        ) from error


def shortfalls(spec: SandboxSpec, proof: Proof) -> list[str]:
    """Every point in which the kernel holds less than the spec says; empty when all is held."""
    return [text for check in _CHECKS for text in check(spec, proof)]


def _runtime(spec: SandboxSpec, proof: Proof) -> list[str]:
    """A name in the engine's settings can stand for anything."""
    if (spec.runtime == "runsc") == (proof.kernel == GVISOR):
        return []
    return [f'the runtime is "{spec.runtime}", but the kernel inside is {proof.kernel or "unknown"}']


def _identity(spec: SandboxSpec, proof: Proof) -> list[str]:
    wanted = {"Uid": str(spec.uid), "Gid": str(spec.gid)}
    found = [
        f"{key} is {' '.join(proof.status.get(key, ()))}, not {value}"
        for key, value in wanted.items()
        if set(proof.status.get(key, ())) != {value}
    ]
    extra = set(proof.status.get("Groups", ())) - {str(spec.gid)}
    return found + ([f"extra groups: {' '.join(sorted(extra))}"] if extra else [])


def _privileges(_spec: SandboxSpec, proof: Proof) -> list[str]:
    found = [
        f"{key} is {' '.join(proof.status.get(key, ('missing',)))}, not empty"
        for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
        if not proof.status.get(key) or int(proof.status[key][0], 16) != 0
    ]
    if proof.status.get("NoNewPrivs") != ("1",):
        found.append("no-new-privileges is off")
    if proof.status.get("Seccomp") != ("2",):
        found.append("no seccomp filter is active")
    return found


def _interfaces(_spec: SandboxSpec, proof: Proof) -> list[str]:
    found = [f"the network interface {name} is up" for name in proof.interfaces if name != "lo"]
    return found + [f"there is a route through {name}" for name in proof.routes]


def _network(spec: SandboxSpec, proof: Proof) -> list[str]:
    network = proof.network
    if network is None or spec.network == "none":
        served, meant = network is not None, spec.network == "gateway"
        return [] if served == meant else [f"a network is {'served' if served else 'not served'} inside"]
    if network.fault:
        return [f"the network inside is not up: {network.fault}"]
    found = [
        f"a way to {address} is not refused: {network.unreachable.get(address)}"
        for address, refusals in NO_WAY.items()
        if network.unreachable.get(address) not in refusals
    ]
    if not network.lookup.startswith("NO"):
        found.append(f"the gateway does not refuse {network.canary}: {network.lookup}")
    if network.answer != NXDOMAIN:
        found.append(f"DNS inside answers for {network.canary} with code {network.answer}, not {NXDOMAIN}")
    return found


def _limits(spec: SandboxSpec, proof: Proof) -> list[str]:
    cgroup, limits = proof.cgroup, spec.limits
    found = []
    if not _at_most(cgroup.memory, limits.memory):
        found.append(f"the memory limit is {cgroup.memory}, not {limits.memory}")
    # v1 counts memory and swap together, v2 counts swap alone; where no file exists the kernel has no swap accounting,
    # which the engine itself reports and `missing_limits` refuses.
    if cgroup.swap is not None and not _at_most(cgroup.swap, limits.memory):
        found.append(f"swap is not off: {cgroup.swap}")
    if not _at_most(cgroup.pids, limits.pids):
        found.append(f"the process limit is {cgroup.pids}, not {limits.pids}")
    cpus = _cpus(cgroup)
    if cpus is None or cpus > limits.cpus * 1.01:
        found.append(f"the CPU limit is {cpus}, not {limits.cpus}")
    return found


def _rlimits(spec: SandboxSpec, proof: Proof) -> list[str]:
    wanted = {"core": 0, "fsize": spec.limits.file_size, "nofile": spec.limits.open_files}
    return [
        f"the {name} limit is {proof.rlimits.get(name)}, not {value}"
        for name, value in wanted.items()
        if proof.rlimits.get(name) != (value, value)
    ]


def _mounts(spec: SandboxSpec, proof: Proof) -> list[str]:
    found = [
        f"{mount.target} is not mounted {mount.mode}"
        for mount in spec.mounts
        if mount.mode not in proof.mounts.get(mount.target, ())
    ]
    for tmpfs in spec.tmpfs if proof.kernel != GVISOR else ():  # it shows neither option
        missing = {"nosuid", "nodev"} - set(proof.mounts.get(tmpfs.target, ()))
        found += [f"{tmpfs.target} is not mounted {' '.join(sorted(missing))}"] if missing else []
    if not spec.writable_root and "ro" not in proof.mounts.get("/", ()):
        found.append("the root file system is writable")
    return found


def _at_most(text: str | None, value: int) -> bool:
    return text is not None and text.isdecimal() and int(text) <= value


def _cpus(cgroup: Cgroup) -> float | None:
    """v2: `cpu.max` is `QUOTA PERIOD`; v1 has a file for each."""
    quota, _, period = (cgroup.cpu or "").partition(" ")
    period = period or cgroup.period or ""
    return int(quota) / int(period) if quota.isdecimal() and period.isdecimal() and int(period) else None


_CHECKS: tuple[Callable[[SandboxSpec, Proof], list[str]], ...] = (
    _runtime,
    _identity,
    _privileges,
    _interfaces,
    _network,
    _limits,
    _rlimits,
    _mounts,
)
