"""An engine without containers: scripted programs on threads, held to the real engine's contract by `tests/contract`.

For tests of whoever uses an `Engine`. It isolates nothing: a program is Python code of the test that
uses it, sees the host's paths of its mounts, and says what it prints and how it ends.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from runner.errors import ContainerGoneError, EngineError, ImageError
from runner.model.offer import Offer
from runner.model.spec import ROLE_LABEL, RUN_LABEL, STATE_LABEL, ImageRef, SandboxSpec
from runner.sandbox.engine import EngineFacts, Exit, Found, ImageFacts, Output, Times, Usage
from runner.sandbox.fake_exec import Beside, FakeInside
from runner.sandbox.fake_facts import FACTS, SIGNAL_NUMBERS
from runner.sandbox.fake_output import Kept
from runner.sandbox.fake_shim import Killed, Program, first_process


class FakeEngine:
    """An `Engine` whose containers are scripts. `programs` maps the first word of an argv to its program."""

    def __init__(
        self, programs: Mapping[str, Program], *, facts: EngineFacts = FACTS, images: tuple[str, ...] = ("base",)
    ) -> None:
        self.programs = dict(programs)
        self.beside: dict[str, Beside] = {}
        """What `Box.exec` starts, by the first word of an argv."""
        self.boxes: dict[str, FakeBox] = {}
        self.hand_over: Callable[[FakeBox, socket.socket], None] | None = None
        """How a sandbox hands over its work; with it, images count as ours, so that it is asked to."""
        self._facts = facts
        self._images = images
        self._created = 0

    def facts(self) -> EngineFacts:
        """See `Engine.facts`."""
        return self._facts

    def image(self, name: str) -> ImageFacts:
        """See `Engine.image`. An id is as good as a name."""
        name = name.removeprefix("sha256:")
        if name and name not in self._images:
            raise ImageError(f"There is no such image: {name}")
        ref = ImageRef(name=name or "base", id=f"sha256:{name or 'base'}")
        return ImageFacts(ref=ref, shipped=self.hand_over is not None)

    def offered(self, offer: Offer, parts: str = "") -> ImageFacts:
        """See `Engine.offered`. What is built is there at once."""
        name = "+".join(filter(None, (offer.reference or offer.digest.removeprefix("sha256:"), parts)))
        self._images += (name,) if parts or not offer.reference else ()
        return self.image(name)

    def registries(self, image: ImageRef) -> Mapping[str, tuple[str, ...]]:
        """See `Engine.registries`. The same for all images that there are."""
        self.image(image.name)
        return {"python": ("mirror.test",), "npm": (), "debian": (), "rust": (), "go": ()}

    def create(self, spec: SandboxSpec, secrets: Mapping[str, str]) -> FakeBox:
        """See `Engine.create`."""
        if spec.image.id not in {self.image(name).ref.id for name in self._images}:
            raise ImageError(f"There is no such image: {spec.image.name}")
        if any(box.spec.name == spec.name for box in self.boxes.values()):
            raise EngineError(f"Docker could not create the container: the name {spec.name} is in use")
        self._created += 1
        box = FakeBox(self, f"fake{self._created:08x}", spec, secrets)
        self.boxes[box.id] = box
        return box

    def open(self, container: str) -> FakeBox:
        """See `Engine.open`."""
        if container not in self.boxes:
            raise ContainerGoneError(f"Docker could not find the container: {container}")
        return self.boxes[container]

    def find(self, *, run: str = "", state: str = "") -> list[Found]:
        """See `Engine.find`."""
        return [
            Found(
                id=box.id,
                name=box.spec.name,
                run=box.spec.run,
                role=box.spec.labels.get(ROLE_LABEL, ""),
                running=box.running,
            )
            for box in self.boxes.values()
            if box.spec.labels.get(RUN_LABEL) == (run or box.spec.labels.get(RUN_LABEL))
            and box.spec.labels.get(STATE_LABEL) == (state or box.spec.labels.get(STATE_LABEL))
        ]


class FakeBox:
    """One scripted container. Tests may set `memory_killed` before or while it runs."""

    def __init__(self, engine: FakeEngine, identifier: str, spec: SandboxSpec, secrets: Mapping[str, str]) -> None:
        self.id = identifier
        self.spec = spec
        self.secrets = dict(secrets)
        self.memory_killed = False
        self.ignored: set[str] = set()
        """Signals that the program does not die of; SIGKILL is never ignored."""
        self.received: list[str] = []
        self._engine = engine
        self._output: queue.Queue[Output | None] = queue.Queue(maxsize=64)
        self._kept = Kept()
        self._attached = False
        self._removed = False
        self._ending: int | None = None
        self._signalled = threading.Event()
        self._standing_still = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._exit = Exit(code=0)

    # What a program may do.

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the program sees."""
        secrets = {name: self.secrets[name] for name in self.spec.secret_environment if name in self.secrets}
        return {**self.spec.environment, **secrets}

    def path(self, inside: str) -> Path:
        """The host's path of a path inside."""
        for mount in sorted(self.spec.mounts, key=lambda mount: len(mount.target), reverse=True):
            if inside == mount.target or inside.startswith(mount.target + "/"):
                return Path(mount.source + inside.removeprefix(mount.target))
        raise FileNotFoundError(inside)

    def write(self, data: bytes, stream: int = 1) -> None:
        """Print."""
        self._kept.add(Output(stream, data))
        while self._attached:
            self.stand_or_end()
            try:
                self._output.put(Output(stream, data), timeout=0.05)
            except queue.Full:
                continue
            return

    def sleep(self, seconds: float) -> None:
        """Wait, or die of a signal."""
        self._signalled.wait(seconds)
        self.stand_or_end()
        self._signalled.clear()

    # The contract of `Box`.

    @property
    def running(self) -> bool:
        """Whether the program has begun and not ended."""
        return self._thread is not None and not self._ended.is_set()

    def differences(self) -> list[str]:
        """See `Box.differences`."""
        self._still_there("inspect")
        return []

    def attach(self) -> Iterator[Output]:
        """See `Box.attach`."""
        self._still_there("attach to")
        self._attached = True
        return iter(self._output.get, None)

    def replay(self) -> Iterator[Output]:
        """See `Box.replay`. Whoever was attached is no more."""
        self._still_there("read the output of")
        self._attached = False
        return self._kept.replay() if self._thread else iter(())

    def times(self) -> Times:
        """See `Box.times`."""
        self._still_there("inspect")
        return self._kept.times()

    def variables(self) -> dict[str, str]:
        """See `Box.variables`."""
        self._still_there("inspect")
        return self.environment

    def start(self) -> bool:
        """See `Box.start`."""
        self._still_there("start")
        if self._thread is not None:
            return False
        self._kept.begin()
        self._thread = threading.Thread(target=self._run, name=self.spec.name, daemon=True)
        self._thread.start()
        return True

    def signal(self, name: str) -> None:
        """See `Box.signal`."""
        if not self.running:
            return
        if name not in SIGNAL_NUMBERS:
            raise EngineError(f"Docker could not send {name} to the container: no such signal")
        self.received.append(name)
        if name == "SIGKILL" or name not in self.ignored:
            self._ending = 128 + SIGNAL_NUMBERS[name]
            self._signalled.set()

    def wait(self, deadline: float) -> Exit | None:
        """See `Box.wait`. What was never started is not running, and not waited for."""
        self._still_there("wait for")
        if self._thread is None:
            return self._exit
        return self._exit if self._ended.wait(max(deadline, 0.01)) else None

    def usage(self) -> Usage | None:
        """See `Box.usage`."""
        return Usage(memory=2**30, pids=1, cpu_seconds=0.1, bytes_written=0) if self.running else None

    def written(self) -> int:
        """See `Box.written`."""
        return 0

    def processes(self) -> list[int]:
        """See `Box.processes`. There are only threads."""
        return []

    def pause(self) -> None:
        """See `Box.pause`. It stands still at its next call of a method."""
        if not self.running or self._standing_still.is_set():
            raise EngineError("Docker could not pause the container: it does not run")
        self._standing_still.set()

    def unpause(self) -> None:
        """See `Box.unpause`."""
        if not self._standing_still.is_set():
            raise EngineError("Docker could not let the container go on: it is not paused")
        self._standing_still.clear()

    def exec(self, argv: Sequence[str], environment: Mapping[str, str], *, terminal: bool = False) -> FakeInside:
        """See `Box.exec`."""
        if not self.running:
            raise ContainerGoneError(f"Docker could not start a program in the container: {self.id} does not run")
        variables = {**self.environment, **environment}
        return FakeInside(self._engine.beside.get(argv[0]), argv, variables, terminal=terminal, ended=self._ended)

    def hang_up(self) -> None:
        """See `Box.hang_up`."""
        self._attached = False
        self._kept.end()
        self._output.put(None)

    def close(self) -> None:
        """See `Box.close`."""
        if self.running:
            self.signal("SIGKILL")
            self._ended.wait(5)
        elif self._thread is None:
            self._output.put(None)
        self._removed = True
        self._engine.boxes.pop(self.id, None)

    def _still_there(self, what: str) -> None:
        if self._removed:
            raise ContainerGoneError(f"Docker could not {what} the container: it was removed")

    def _run(self) -> None:
        code = 1
        try:
            code = self._main()
        except Killed:
            code = self._ending or 137
        finally:
            self._exit = Exit(code=code, out_of_memory=self.memory_killed, signalled=bool(code and self.received))
            self._attached = False
            self._ended.set()
            self._kept.end()
            self._output.put(None)

    def _main(self) -> int:
        return first_process(self, self._engine.programs, self._engine.hand_over)

    def stand_or_end(self) -> None:
        """Stand still while paused; end when killed."""
        while self._standing_still.is_set() and self._ending is None:
            time.sleep(0.01)
        if self._ending is not None:
            raise Killed
