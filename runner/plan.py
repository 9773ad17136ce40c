"""Policy + task + image -> one inert `SandboxSpec`, or a refusal. Pure: it reads no file and asks no engine."""

from __future__ import annotations

import math
import re

from runner.errors import RefusedError, UnenforceableError
from runner.model.environment import environment_fault
from runner.model.policy import Limits, Policy
from runner.model.quantities import Bytes, format_size
from runner.model.request import ImageSettings, Machine, Request
from runner.model.spec import (
    ROLE_LABEL,
    RUN_LABEL,
    STATE_LABEL,
    ImageRef,
    Mount,
    Role,
    SandboxLimits,
    SandboxSpec,
    Tmpfs,
)

WORKSPACE = "/workspace"
HOME = "/home/agent"
INSIDE = "/paddock/inside"
"""The shim, all of it."""
SHIM = f"{INSIDE}/first.py"
CONTROL = "/paddock/control"
COLLECTOR = "/paddock/collector"
COLLECTOR_IN = "/paddock/in"
CONTROL_SOCKET = "launch.sock"
"""In a folder that one container sees: its first process reports there, and waits for `go`."""
GATEWAY_SOCKET = "gateway.sock"
"""In the same folder, where the policy opens the network: the only way out."""
COLLECTOR_OUT = "/out"
COLLECTOR_OPTION = "--collector"
"""Of the shim: by it a sandbox is known that hands its work over."""
RELIED_ON = (WORKSPACE, "/tmp", "/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/paddock", "/nonexistent")  # noqa: S108
"""Where nothing may be mounted in a sandbox that collects its own work; the last one is the collector's HOME."""
ETC_FILES = ("passwd", "group", "hosts", "resolv.conf")
TASK = "/paddock/task"
"""What the agent is given to read."""
AGENT = "/paddock/agent"
"""What the agent keeps of its own."""

MIB = 1024 * 1024
GIB = 1024 * MIB
SHM_SIZE = 64 * MIB
OPEN_FILES = 16_384
MAX_ENGINE_LOG = 64 * MIB
COLLECTOR_MEMORY = 2 * GIB
COLLECTOR_FILE_SIZE = 2 * GIB
"""At least: twice the largest bundle that is taken in, since what broke `limits.disk` is larger than that limit."""
COLLECTOR_SECONDS = 600.0
OUT_OF_TIME = 124
"""The exit code of a sandbox that ended by itself at its deadline."""
DEADLINE_SLACK = 10.0
"""Seconds after the last grace of `limits.wall_clock` at which a sandbox that nobody watches ends by itself."""

OTHER_PRODUCTS = "it takes Docker's words for limits and applies them otherwise, or not at all"
"""Podman 4.3: no bounded log, and without root on cgroup v1 no limit whatever, all without a warning."""

GVISOR_PIDS = 256
"""With `runsc`. About eighty are its own; when there are too few, it ends instead of refusing a fork."""

TRUSTING = re.compile(r"DOCKER_.*|_?JAVA_(TOOL_)?OPTIONS|LOCPATH|EDITOR|VISUAL|PAGER|(?i:(https?|ftp|all|no)_proxy)")
"""Variables that say whom to trust or what to start; an image has no say in these, beside those that steer programs."""

KEPT = frozenset({"PATH"})
"""Steering variables without which an image's own programs would not be found."""


def plan_sandbox(request: Request) -> SandboxSpec:
    """The sandbox of one run. Raises `UnenforceableError` for an agent that would be root."""
    if request.identity.uid == 0:
        raise UnenforceableError("An agent never runs as uid 0.")
    return sandbox_spec(request)


def sandbox_spec(request: Request) -> SandboxSpec:
    """What the policy means as a container, whether or not this version can already run it."""
    policy = request.policy
    return SandboxSpec(
        run=request.run,
        role=Role.SANDBOX,
        name=f"paddock-{request.run}",
        hostname="sandbox",
        image=request.image.ref,
        entrypoint=("python3", "-I", "-S", "-B", SHIM, f"{CONTROL}/{CONTROL_SOCKET}", *_options(request)),
        init=False,
        argv=request.command.argv,
        environment=_environment(request),
        secret_environment=request.secret_names,
        dropped_environment=_dropped(request.image),
        uid=request.identity.uid,
        gid=request.identity.gid,
        workdir=WORKSPACE,
        mounts=_mounts(request),
        tmpfs=_tmpfs(request),
        limits=_limits(policy.limits),
        network="gateway" if _gateway(policy) else "none",
        runtime=policy.sandbox.runtime,
        writable_root=policy.sandbox.writable_root,
        log_size=Bytes(min(policy.limits.output, MAX_ENGINE_LOG)),
        labels=_labels(request.run, Role.SANDBOX, request.places.state),
    )


def collector_spec(request: Request, image: ImageRef) -> SandboxSpec:
    """The container that takes the commits out: our own base image, the dead agent's workspace, and nothing else."""
    places = request.places
    return SandboxSpec(
        run=request.run,
        role=Role.COLLECTOR,
        name=f"paddock-{request.run}-collector",
        hostname="collector",
        image=image,
        entrypoint=("python3", "-I", "-B", COLLECTOR),
        argv=("--wait", f"{COLLECTOR_IN}/{CONTROL_SOCKET}"),
        environment={"HOME": "/nonexistent", "LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"},
        uid=request.identity.uid,
        gid=request.identity.gid,
        workdir="/",
        mounts=(
            Mount(source=places.workspace, target=WORKSPACE, mode="rw"),
            Mount(source=places.collector_out, target=COLLECTOR_OUT, mode="rw"),
            Mount(source=places.collector_in, target=COLLECTOR_IN),
            Mount(source=places.collector, target=COLLECTOR),
        ),
        tmpfs=(Tmpfs(target="/tmp", size=Bytes(256 * MIB), executable=False),),  # noqa: S108 - inside the container
        limits=SandboxLimits(
            cpus=2.0,
            memory=Bytes(COLLECTOR_MEMORY),
            pids=128,
            shm=Bytes(MIB),
            open_files=4096,
            file_size=Bytes(max(COLLECTOR_FILE_SIZE, request.policy.limits.disk)),
        ),
        log_size=Bytes(MIB),
        labels=_labels(request.run, Role.COLLECTOR, places.state),
    )


def check_machine(policy: Policy, machine: Machine) -> None:
    """Refuse what this engine or machine cannot hold (promise 9). Raises `UnenforceableError` with every reason."""
    limits, reasons = policy.limits, []
    if limits.cpus > machine.cpus:
        reasons.append(f"limits.cpus = {limits.cpus:g}, but the machine has {machine.cpus}")
    if limits.memory > machine.memory:
        reasons.append(f"limits.memory = {limits.memory // MIB} MiB, but the machine has {machine.memory // MIB} MiB")
    if machine.product != "Docker":
        reasons.append(f"this engine is {machine.product}: {OTHER_PRODUCTS}")
    if policy.sandbox.runtime not in machine.runtimes:
        reasons.append(
            f'sandbox.runtime = "{policy.sandbox.runtime}", but the engine has {", ".join(machine.runtimes)}'
        )
    if policy.sandbox.runtime == "runsc" and limits.pids < GVISOR_PIDS:
        reasons.append(f"limits.pids = {limits.pids}, but gVisor's own threads count too: {GVISOR_PIDS} at least")
    reasons += [f"this engine cannot hold the limit on {name}" for name in machine.missing_limits]
    if not machine.seccomp:
        reasons.append("this engine applies no seccomp profile")
    if machine.rootless and machine.cgroup_version == "1":
        reasons.append("a rootless engine on cgroup v1 silently ignores every limit")
    if reasons:
        raise UnenforceableError(
            "This machine cannot enforce the policy:\n  " + "\n  ".join(reasons),
            hint="Lower the limits in the policy, or run `paddock doctor` to see what the engine lacks.",
        )


def workspace_fits(size: int, entries: int, limits: Limits) -> None:
    """Refuse a workspace that, before the agent begins, takes more than it may. Raises `RefusedError`.

    `size` is in bytes; `entries` may have been counted no further than just beyond `limits.files`.
    """
    reasons = []
    if size > limits.disk:
        reasons.append(f"it takes {-(-size // MIB)} MiB, more than limits.disk = {format_size(limits.disk)}")
    if entries > limits.files:
        reasons.append(f"it holds more files and directories than limits.files = {limits.files}")
    if reasons:
        raise RefusedError(
            f"The workspace is too large before the agent begins: {'; '.join(reasons)}.",
            hint='Raise the limit in the policy; workspace.history = "shallow" makes the workspace smaller.',
        )


def _environment(request: Request) -> dict[str, str]:
    """Ours last: neither policy nor task can replace what the sandbox relies on."""
    plain = {name: value for name, value in request.environment.items() if name not in request.secret_names}
    ours = {"HOME": HOME, "USER": "agent", "LOGNAME": "agent", "LANG": "C.UTF-8", "PADDOCK_RUN": request.run}
    return {**request.command.environment, **request.policy.sandbox.env, **plain, **ours}


def _dropped(image: ImageSettings) -> tuple[str, ...]:
    """What of the image's environment is removed: whatever a policy may not set either, and whom to trust."""
    steering = {name for name in image.environment if environment_fault(name, "") or TRUSTING.fullmatch(name)}
    return tuple(sorted(steering - KEPT))


def _gateway(policy: Policy) -> tuple[str, ...]:
    """What tells the shim to serve a network; nothing where there is none."""
    return () if policy.network.mode == "none" else ("--gateway", f"{CONTROL}/{GATEWAY_SOCKET}")


def _options(request: Request) -> tuple[str, ...]:
    """The shim's. The sandbox ends by itself a little later than a Paddock that is alive ends it."""
    limits = request.policy.limits
    end = str(math.ceil(limits.wall_clock + limits.grace + DEADLINE_SLACK))
    collector = (COLLECTOR_OPTION, COLLECTOR) if hands_over(request) else ()
    return (*_gateway(request.policy), *collector, "--deadline", end, "--")


def hands_over(request: Request) -> bool:
    """Whether the sandbox collects its agent's work itself, when that has ended by itself and nobody is left inside.

    It has to have a git that we know in a root that nobody can change, and to see the workspace as the host does.
    Artifacts are copied from there as they are: that is for a container which writes to the host's disk.
    """
    policy = request.policy
    targets = [*(mount.target for mount in request.mounts), *request.image.volumes]
    return (
        request.wanted
        and request.image.shipped
        and policy.sandbox.runtime == "runc"
        and not policy.sandbox.writable_root
        and not policy.artifacts
        and not any(_meet(target, folder) for target in targets for folder in RELIED_ON)
    )


def _meet(one: str, other: str) -> bool:
    """Whether one of two folders holds the other."""
    one, other = f"{one.rstrip('/')}/", f"{other}/"
    return one.startswith(other) or other.startswith(one)


def _mounts(request: Request) -> tuple[Mount, ...]:
    places = request.places
    # ssh reads this one beside the image's own /etc/ssh/ssh_known_hosts.
    known_hosts = Mount(source=f"{places.etc}/ssh_known_hosts", target="/etc/ssh/ssh_known_hosts2")
    return (
        Mount(source=places.workspace, target=WORKSPACE, mode="rw"),
        Mount(source=places.inside, target=INSIDE),
        *((Mount(source=places.collector, target=COLLECTOR),) if hands_over(request) else ()),
        *((known_hosts,) if _gateway(request.policy) else ()),
        Mount(source=places.control, target=CONTROL),
        *((Mount(source=places.task, target=TASK),) if request.command.files else ()),
        *((Mount(source=places.agent, target=AGENT, mode="rw"),) if request.command.keeps else ()),
        # The user has a name inside whatever its number is, and nothing of the host's resolver is seen.
        *(Mount(source=f"{places.etc}/{name}", target=f"/etc/{name}") for name in ETC_FILES),
        *request.mounts,
    )


def _tmpfs(request: Request) -> tuple[Tmpfs, ...]:
    """Memory for /tmp and HOME, and over every VOLUME of the image, which would be disk without a limit."""
    limits, volumes = request.policy.limits, request.image.volumes
    size = Bytes(max(MIB, min(limits.memory // 2, limits.disk)))
    taken = {"/tmp", HOME, *(mount.target for mount in _mounts(request))}  # noqa: S108
    return (
        Tmpfs(target="/tmp", size=size),  # noqa: S108 - inside the container
        Tmpfs(target=HOME, size=size, mode="0700", owned=True),
        *(Tmpfs(target=path, size=size) for path in volumes if path.rstrip("/") not in taken),
    )


def _limits(limits: Limits) -> SandboxLimits:
    return SandboxLimits(
        cpus=limits.cpus,
        memory=Bytes(limits.memory),
        pids=limits.pids,
        shm=Bytes(min(SHM_SIZE, limits.memory)),
        open_files=OPEN_FILES,
        file_size=Bytes(limits.disk),
    )


def _labels(run: str, role: Role, state: str) -> dict[str, str]:
    return {RUN_LABEL: run, ROLE_LABEL: role.value, STATE_LABEL: state}
