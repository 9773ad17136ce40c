"""The sandbox's start: created, read back, proved from inside, and only then told to let the agent go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from runner.clock import Clock
from runner.errors import EngineError, UnenforceableError
from runner.model.spec import SandboxSpec
from runner.sandbox.control import Handshake, listen
from runner.sandbox.engine import Box, Engine, Exit, Output
from runner.sandbox.proof import parse_proof, shortfalls
from runner.sandbox.same_places import HINT, elsewhere

REPORT_SECONDS = 60.0
POLL_SECONDS = 0.2
NO_PYTHON = 127


class Started:
    """A sandbox whose first process has proved itself and waits for `go`."""

    def __init__(self, box: Box, output: Iterator[Output], handshake: Handshake) -> None:
        self.box = box
        self.output = output
        self.handshake = handshake

    def go(self) -> None:
        """Let the agent start."""
        self.handshake.go()


@contextmanager
def start_sandbox(  # noqa: PLR0913, PLR0917 - each is a thing of its own
    engine: Engine,
    spec: SandboxSpec,
    secrets: Mapping[str, str],
    control: Path,
    clock: Clock,
    made: Callable[[], None] = lambda: None,
) -> Iterator[Started]:
    """Start a sandbox as far as the proof; it is removed when the scope ends.

    `made` is called when the engine has made it as planned, and returns when it may be started. Raises
    `UnenforceableError` when the engine or the kernel did not apply the spec to the letter.
    """
    with listen(control) as handshake, open_box(engine, spec, secrets) as box:
        if differences := box.differences():
            raise UnenforceableError("The engine did not apply the sandbox as planned:\n  " + "\n  ".join(differences))
        made()
        output = box.attach()
        _start(spec, box)
        _prove(spec, box, handshake, clock)
        yield Started(box, output, handshake)


@contextmanager
def open_box(engine: Engine, spec: SandboxSpec, secrets: Mapping[str, str]) -> Iterator[Box]:
    """A created container that is removed whatever happens."""
    box = engine.create(spec, secrets)
    try:
        yield box
    finally:
        close_quietly(box)


def _start(spec: SandboxSpec, box: Box) -> None:
    """Start the first process. Raises `UnenforceableError` when the image lacks it, or it is not we who start it."""
    try:
        if not box.start():
            raise UnenforceableError("Somebody else has started the sandbox, before its repository was there.")
    except EngineError as error:
        ended = None
        with suppress(EngineError):
            ended = box.wait(POLL_SECONDS)
        if ended is not None and ended.code == NO_PYTHON:
            raise _no_start(spec, ended) from error
        raise


def close_quietly(box: Box) -> None:
    """Remove a container; one that stays is tried once more at the end of the run, and told as a leak."""
    with suppress(EngineError):
        box.close()


def _prove(spec: SandboxSpec, box: Box, handshake: Handshake, clock: Clock) -> None:
    proof = parse_proof(await_report(spec, box, handshake, clock))
    if spec.runtime == "runsc":
        from runner.sandbox.gvisor import completed  # few engines have it

        proof = completed(proof, box.processes())
    if proof.network is not None and proof.network.fault:
        raise EngineError(f"The network inside the sandbox is not up: {proof.network.fault}")
    if found := elsewhere(spec, proof):
        raise UnenforceableError("\n  ".join(found), hint=HINT)
    if found := shortfalls(spec, proof):
        raise UnenforceableError("The kernel does not hold what the policy says:\n  " + "\n  ".join(found))


def await_report(spec: SandboxSpec, box: Box, handshake: Handshake, clock: Clock) -> bytes:
    """The line with which a container's first process reports. Raises `EngineError` when it ends or is silent."""
    end = clock.monotonic() + REPORT_SECONDS
    while (line := handshake.receive(POLL_SECONDS)) is None:
        if (ended := box.wait(0.01)) is not None:
            raise _no_start(spec, ended)
        if clock.monotonic() > end:
            raise EngineError(f"The first process of the {spec.role.value} did not report within a minute.")
    return line


def _no_start(spec: SandboxSpec, ended: Exit) -> EngineError | UnenforceableError:
    if ended.code == NO_PYTHON:
        return UnenforceableError(
            f"The image {spec.image.name} has no python3, which the sandbox's first process needs.",
            hint=f"Make one that has it: paddock image wrap {spec.image.name}",
        )
    detail = f": {ended.error}" if ended.error else f" with exit code {ended.code}"
    return EngineError(f"The first process of the {spec.role.value} ended before it reported{detail}.")
