"""Reaching into a sandbox that runs: programs beside the agent, and the relay for connections to its servers.

Nothing here gives the sandbox a network interface, a privilege or a descriptor of the host's.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import ValidationError

from runner.errors import RunNotFoundError, StoreError, UsageError
from runner.model.events import Phase
from runner.model.paths import is_within
from runner.model.spec import Role, SandboxSpec
from runner.plan import CONTROL
from runner.sandbox.engine import Box, Engine, Inside
from runner.sandbox.forward import SHIM_FORWARD, Door, Forwarder, listen_back, open_door
from runner.store.files import read_bounded
from runner.store.ledger import RUNNING, RunRow
from runner.store.runs import RunPaths

PYTHON = ("python3", "-I", "-S", "-B")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_SPEC = 16 * 1024 * 1024
FIRST_PORT = 20_000
PORTS = 20_000
"""Without a port of its own, a forwarded one is found among these, from 20000 on."""
MOST_PORT = 65_535


@dataclass(frozen=True, kw_only=True)
class Reached:
    """A sandbox whose agent is at work."""

    run: str
    box: Box
    shim: str
    """Where that sandbox has it: another Paddock may have begun the run."""
    path: str
    """Where the agent's programs are looked for."""
    safe_path: str
    """Those of its folders that the agent cannot write."""

    def start(
        self, argv: Sequence[str], *, terminal: bool = False, environment: Mapping[str, str] | None = None
    ) -> Inside:
        """Start a program beside the agent, held to what the agent is held to. Raises `EngineError`."""
        return self.box.exec(
            (*PYTHON, self.shim, "--exec", "--path", self.path, "--", *argv),
            {**(environment or {}), "PATH": self.safe_path},
            terminal=terminal,
        )


def reach(row: RunRow, paths: RunPaths, engine: Engine) -> Reached:
    """The sandbox of a run. Raises `RunNotFoundError` when there is none, or its agent has not begun."""
    if row.state != RUNNING:
        raise RunNotFoundError(
            f"{row.id} is over: {row.outcome}. Its sandbox has gone.", hint=f"Look at it with `paddock show {row.id}`."
        )
    running = [found for found in engine.find(run=row.id) if found.running and found.role == Role.SANDBOX.value]
    if row.phase != Phase.AGENT.value or not running:
        raise RunNotFoundError(
            f"{row.id} has no agent at work: it is in its phase {row.phase!r}.", hint="`paddock ps` shows phases."
        )
    spec = _spec(paths)
    path = spec.environment.get("PATH") or _path_of_image(spec, engine)
    return Reached(
        run=row.id,
        box=engine.open(running[0].id),
        shim=spec.entrypoint[len(PYTHON)],
        path=path,
        safe_path=safe_folders(path, spec),
    )


def safe_folders(path: str, spec: SandboxSpec) -> str:
    """Those folders of a PATH that the agent cannot write: a `python3` of its own would run without our filter."""
    writable = [mount.target for mount in spec.mounts if mount.mode == "rw"] + [tmpfs.target for tmpfs in spec.tmpfs]
    folders = [posixpath.normpath(folder) for folder in path.split(":") if folder.startswith("/")]
    safe = [folder for folder in folders if not any(is_within(folder, target) for target in writable)]
    return ":".join(safe) or DEFAULT_PATH


def _path_of_image(spec: SandboxSpec, engine: Engine) -> str:
    return engine.image(spec.image.id or spec.image.name).environment.get("PATH") or DEFAULT_PATH


def _spec(paths: RunPaths) -> SandboxSpec:
    try:
        return SandboxSpec.model_validate_json(read_bounded(paths.spec, MAX_SPEC))
    except ValidationError as error:
        raise StoreError(f"{paths.spec}: this is not what Paddock writes there.") from error


def parse_ports(text: str) -> tuple[int, int | None]:
    """`8000` or `8000:9000`: the port inside, and that on the host. Raises `UsageError`."""
    numbers = text.split(":")
    if len(numbers) > 2 or not all(part.isascii() and part.isdecimal() and len(part) <= 5 for part in numbers):
        raise UsageError(f"{text!r} is not a port.", hint="As in 8000, or 8000:9000 for port 9000 of this machine.")
    ports = [int(part) for part in numbers]
    if not all(1 <= port <= MOST_PORT for port in ports):
        raise UsageError(f"{text!r}: ports are from 1 to {MOST_PORT}.")
    return ports[0], ports[1] if len(ports) > 1 else None


def stable_port(name: str, inner: int) -> int:
    """The host's port for a port of the run of that name: always the same one, as far as it is free."""
    return FIRST_PORT + int.from_bytes(hashlib.sha256(f"{name}\0{inner}".encode()).digest()[:8], "big") % PORTS


@contextmanager
def forwarding(
    reached: Reached, row: RunRow, paths: RunPaths, wanted: Sequence[str]
) -> Iterator[tuple[Forwarder, tuple[Door, ...]]]:
    """Ports of the sandbox on 127.0.0.1, as long as the scope lasts. Raises `UsageError`, `EngineError`."""
    asked = [parse_ports(text) for text in wanted]
    doors: list[Door] = []
    try:
        for inner, outer in asked:
            first = stable_port(row.name or row.id, inner) if outer is None else outer
            doors.append(open_door(inner, first, exactly=outer is not None))
        with listen_back(paths.control) as (listener, name):
            relay = reached.start((*PYTHON, "-c", SHIM_FORWARD.read_text(), f"{CONTROL}/{name}"))
            forwarder = Forwarder(listener, tuple(doors))
            try:
                forwarder.serve(relay)
                yield forwarder, tuple(doors)
            finally:
                relay.close()
                forwarder.close()
    finally:
        for door in doors:
            door.listener.close()
