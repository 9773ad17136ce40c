"""Everything that decides a sandbox, gathered before the decision."""

from __future__ import annotations

from runner.model.base import Record
from runner.model.identity import Identity
from runner.model.policy import Policy
from runner.model.spec import ImageRef, Mount


class Places(Record):
    """Where the host keeps what a run's containers see: absolute paths."""

    state: str
    workspace: str
    control: str
    etc: str
    collector_in: str
    collector_out: str
    inside: str
    """The folder of the shim."""
    collector: str
    task: str
    """What the agent is given to read: its prompt, what it may do, its settings."""
    agent: str
    """What the agent keeps of its own: its sessions."""


class Command(Record):
    """What an agent adapter wants to have run."""

    argv: tuple[str, ...]
    environment: dict[str, str] = {}
    files: dict[str, str] = {}
    """Texts that it reads, by their names below `/paddock/task`."""
    state: dict[str, str] = {}
    """Texts that it may change, by their names below `/paddock/agent`; there before the agent starts."""
    keeps: bool = False
    """Whether it keeps something below `/paddock/agent`, for a later run that goes on with this one."""


class ImageSettings(Record):
    """What an image would set if it were let to: taken into account so that it can be overridden."""

    ref: ImageRef
    environment: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    shipped: bool = False
    """Whether it is one that we build, with what we put into it."""


class Request(Record):
    """Everything that decides a sandbox, gathered before the decision."""

    run: str
    policy: Policy
    command: Command
    image: ImageSettings
    identity: Identity
    places: Places
    mounts: tuple[Mount, ...] = ()
    """The policy's mounts and caches, resolved on the host and checked."""
    environment: dict[str, str] = {}
    """The task's own variables."""
    secret_names: tuple[str, ...] = ()
    """Variables of the task whose values stay out of the spec."""
    wanted: bool = False
    """Whether somebody will ask for what is left in the workspace."""


class Machine(Record):
    """What the engine's machine has to give."""

    cpus: int
    memory: int
    runtimes: tuple[str, ...]
    missing_limits: tuple[str, ...] = ()
    seccomp: bool = True
    rootless: bool = False
    cgroup_version: str = "2"
    product: str = "Docker"
