"""One container, fully decided: the only thing that an engine is ever shown.

A spec is inert and printable. It holds no secret value, no `None` that means "the engine decides",
and no field that could end the sandbox: privileged mode, added capabilities, host namespaces and
the engine's socket cannot be spelled here.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final, Literal

from runner.model.base import Record
from runner.model.quantities import Size

SPEC_VERSION: Final = 1

RUN_LABEL = "paddock.run"
ROLE_LABEL = "paddock.role"
STATE_LABEL = "paddock.state"
"""Label keys on everything started (promise 8): run id, role, and the state directory that owns the run."""


class Role(StrEnum):
    """What a container of ours is for."""

    SANDBOX = "sandbox"
    COLLECTOR = "collector"
    PROBE = "probe"
    """Asks an image about itself."""


class Mount(Record):
    """One directory or file of the host, seen at `target` inside. `source` is absolute and resolved."""

    source: str
    target: str
    mode: Literal["ro", "rw"] = "ro"


class Tmpfs(Record):
    """One memory file system; always nosuid and nodev, counted as the container's memory."""

    target: str
    size: Size
    mode: str = "1777"
    owned: bool = False
    """Owned by the container's user rather than by root."""
    executable: bool = True


class SandboxLimits(Record):
    """What the kernel is told to hold; sizes in bytes, swap is always off."""

    cpus: float
    memory: Size
    pids: int
    shm: Size
    open_files: int
    file_size: Size


class ImageRef(Record):
    """An image by the name that was asked for and, once an engine has resolved it, by its content id."""

    name: str
    id: str = ""
    """`sha256:...`; empty in a plan that was made without an engine."""


class SandboxSpec(Record):
    """Everything that a container is given. Equal specs make equal containers."""

    version: Literal[1] = SPEC_VERSION
    run: str
    role: Role
    name: str
    hostname: str
    image: ImageRef
    entrypoint: tuple[str, ...]
    """The first process, given in full: what the image calls its entry point never runs."""
    init: bool = True
    """Whether the engine's small init stands before it; the shim is process 1 itself, which nobody inside can stop."""
    argv: tuple[str, ...]
    environment: dict[str, str]
    secret_environment: tuple[str, ...] = ()
    """Names whose values are handed over beside the spec, so that no file of ours holds them."""
    dropped_environment: tuple[str, ...] = ()
    """Variables of the image that are removed: they could steer programs before ours do."""
    uid: int
    gid: int
    workdir: str
    mounts: tuple[Mount, ...]
    tmpfs: tuple[Tmpfs, ...]
    limits: SandboxLimits
    network: Literal["none", "gateway"] = "none"
    """`gateway`: names are carried over a Unix socket. An interface but loopback it has in neither case."""
    runtime: str = "runc"
    writable_root: bool = False
    log_size: Size
    """Upper bound of the engine's own copy of the output, in bytes."""
    labels: dict[str, str]

    def digest(self) -> str:
        """`sha256:...` of the canonical JSON form."""
        return "sha256:" + hashlib.sha256(self.model_dump_json().encode()).hexdigest()
