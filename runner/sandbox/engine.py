"""What Paddock asks of a container engine: two small protocols, held by the real engine and by the fake one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runner.model.base import Record
from runner.model.spec import ImageRef, SandboxSpec

if TYPE_CHECKING:
    from runner.model.offer import Offer


class EngineFacts(Record):
    """What the engine says of itself and of the machine that it runs on."""

    product: str = "Docker"
    """Whose engine it is: others speak Docker's language, too."""
    version: str
    api_version: str
    cpus: int
    memory: int
    """Bytes."""
    storage_driver: str
    root_dir: str
    cgroup_version: str
    runtimes: tuple[str, ...]
    default_runtime: str
    security: tuple[str, ...]
    """The engine's security options, as in `name=seccomp,profile=default`."""
    missing_limits: tuple[str, ...] = ()
    """Names of limits (`memory`, `swap`, `cpus`, `pids`) that this engine cannot hold."""
    components: dict[str, str] = {}
    """Versions of containerd, runc and init."""

    @property
    def seccomp(self) -> bool:
        """Whether the engine applies its own seccomp profile to containers that name none, and no other one."""
        return not {"name=seccomp,profile=default", "name=seccomp,profile=builtin"}.isdisjoint(self.security)

    @property
    def rootless(self) -> bool:
        """Whether the engine runs without root, where limits may silently not hold."""
        return any(option.startswith("name=rootless") for option in self.security)


class ImageFacts(Record):
    """An image, resolved: what it would set if it were let to."""

    ref: ImageRef
    environment: dict[str, str] = {}
    volumes: tuple[str, ...] = ()
    shipped: bool = False
    """Whether it is one that we build."""


class Exit(Record):
    """How a container ended."""

    code: int
    out_of_memory: bool = False
    """The kernel killed some process of the container for memory; also true when the first process ended with 0."""
    error: str = ""
    """The engine's own word when the container could not be started."""
    signalled: bool = False
    """Whether the engine sent it a signal, at whosoever's wish, before it ended with another code than 0."""


class Usage(Record):
    """What a running container has used so far; `None` where this engine does not tell."""

    memory: int | None = None
    """Highest memory use in bytes, as far as the kernel keeps it; else the present use."""
    pids: int | None = None
    cpu_seconds: float | None = None
    bytes_written: int | None = None


class Output(NamedTuple):
    """One piece of a container's output, as it came; a plain tuple because there may be a million of them."""

    stream: int
    """1 for standard output, 2 for standard error."""
    data: bytes
    age: float = 0.0
    """Seconds since it was printed, where it was kept in between."""


class Times(Record):
    """How long a container ran, up to its end or to now, in seconds; and the end of that in which it was silent."""

    ran: float
    silent: float


class Found(Record):
    """One container that carries our labels."""

    id: str
    name: str
    run: str
    role: str
    running: bool


class Inside(Protocol):
    """A program that was started beside the agent. `close` is called once by whoever started it."""

    def output(self) -> Iterator[Output]:
        """What it prints, from its start on; with a terminal, all of it as stream 1. Ends when it has ended."""

    def write(self, data: bytes) -> None:
        """Give it input; waits as long as it does not read. Raises `ContainerGoneError` when it has ended."""

    def end_input(self) -> None:
        """Give it the end of its input."""

    def resize(self, rows: int, columns: int) -> None:
        """Set its terminal's size. No error when it has ended."""

    def exit_code(self) -> int:
        """How it ended; ask once the output has ended. Raises `ContainerGoneError` when its container has gone."""

    def close(self) -> None:
        """Hang up: its input ends, its output is read no more. From any thread."""


class Box(Protocol):
    """One container. `close` removes it and is called exactly once by whoever created it."""

    @property
    def id(self) -> str:
        """The engine's id."""

    def differences(self) -> list[str]:
        """In what the engine did not apply the spec; empty when all was applied."""

    def attach(self) -> Iterator[Output]:
        """The output from the start on; call before `start`. Ends when the container has ended."""

    def replay(self) -> Iterator[Output]:
        """What it has printed since its start, as far as the engine keeps it, and goes on to print.

        In the order of each stream. The end of a line that has not ended yet may come late. Ends as `attach` does, and
        ends what was attached before.
        """

    def times(self) -> Times:
        """How long it has run, and been silent. Raises `EngineError`."""

    def variables(self) -> dict[str, str]:
        """The environment that it was given, secrets too. Raises `EngineError`."""

    def start(self) -> bool:
        """Start the first process; `False` when it ran already. Raises `EngineError` when the engine cannot."""

    def signal(self, name: str) -> None:
        """Send a signal (`"SIGTERM"`) to the first process; no error when the container has ended."""

    def wait(self, deadline: float) -> Exit | None:
        """Wait up to `deadline` seconds for the end; `None` when the container is still running then."""

    def usage(self) -> Usage | None:
        """What it has used so far; `None` when it has ended."""

    def written(self) -> int:
        """Bytes in the writable layer."""

    def processes(self) -> list[int]:
        """Its processes by this machine's numbers, the first one first; none where they cannot be seen from here."""

    def pause(self) -> None:
        """Make all of its processes stand still. Raises `EngineError` where that cannot be done."""

    def unpause(self) -> None:
        """Let them go on. Raises `EngineError`, also when they do not stand still. A SIGKILL does so too."""

    def exec(self, argv: Sequence[str], environment: Mapping[str, str], *, terminal: bool = False) -> Inside:
        """Start a program in a container that runs, as the same user, in the same directory, with the same privileges.

        `environment` is added to the container's own. Raises `ContainerGoneError` when the container does not run.
        """

    def hang_up(self) -> None:
        """End the output for whoever reads it, whatever the engine does. From any thread."""

    def close(self) -> None:
        """Kill if running, and remove with its anonymous volumes. Raises `EngineError` when it stays."""


class Engine(Protocol):
    """A container engine."""

    def facts(self) -> EngineFacts:
        """What the engine is. Raises `EngineUnavailableError` when none answers."""

    def image(self, name: str) -> ImageFacts:
        """An image by name; the empty name is the shipped base image, built on first use. Raises `ImageError`."""

    def offered(self, offer: Offer, parts: str = "") -> ImageFacts:
        """The image that a trusted repository offers, pulled or built when it is missing. Raises `ImageError`.

        Built without secrets and without the host's network. `parts` of a shipped name, such as an agent's, are added.
        """

    def registries(self, image: ImageRef) -> Mapping[str, tuple[str, ...]]:
        """The registries that an image's tools use: a group's name to entries of a policy. Raises `ImageError`."""

    def create(self, spec: SandboxSpec, secrets: Mapping[str, str]) -> Box:
        """Create, not start, a container. Raises `EngineError`."""

    def open(self, container: str) -> Box:
        """A container that exists already. Raises `ContainerGoneError`."""

    def find(self, *, run: str = "", state: str = "") -> list[Found]:
        """Containers with our labels, of one run or of one state directory."""
