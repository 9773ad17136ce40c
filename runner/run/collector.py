"""The collector container: started beside the sandbox, told to begin only when the agent is dead.

Its image, its limits and its mounts are proved before there is work that depends on them, and the agent's
end is not followed by the start of another container. Until it is told to go, it has looked at nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from threading import Event, Thread

from runner.clock import Clock
from runner.errors import ContainerGoneError, EngineError
from runner.escape import escape_text
from runner.model.identity import Identity
from runner.model.spec import SandboxSpec
from runner.plan import COLLECTOR_SECONDS
from runner.run.start import await_report, close_quietly
from runner.sandbox.control import Handshake, listen
from runner.sandbox.engine import Box, Engine, Output
from runner.store.files import write_whole
from runner.store.runs import RunPaths
from runner.store.tree import remove_tree

READY = b"ready\n"
KEPT_OUTPUT = 4096
LATER = 3.0
"""Seconds after which a collector is started that an agent with a model did not wait for."""


@dataclass(frozen=True, kw_only=True)
class Collector:
    """A collector container that waits for `go`."""

    box: Box
    output: Iterator[Output]
    handshake: Handshake
    removal: Thread
    """Removes the container, while what it wrote is looked at."""

    def collect(self, paths: RunPaths, request: Mapping[str, object]) -> None:
        """Have it collect as `request` says. Raises `EngineError` when it does not end well, and in time."""
        write_whole(paths.collector_in / "collect.json", json.dumps(request), mode=0o644)
        try:
            self.handshake.go()
        except EngineError as error:
            raise ContainerGoneError("The waiting collector has gone.") from error
        ended = self.box.wait(COLLECTOR_SECONDS)
        if ended is None:
            self.box.signal("SIGKILL")
            raise EngineError(f"The collector did not end within {COLLECTOR_SECONDS:g} s.")
        if ended.signalled:
            raise ContainerGoneError("The collector was ended from outside.")
        if ended.code != 0:
            tail = b"".join(piece.data for piece in self.output)[-KEPT_OUTPUT:]
            raise EngineError(f"The collector failed ({ended.code}): {escape_text(tail.strip())}")
        self.removal.start()


@dataclass(frozen=True, kw_only=True)
class CollectorPlace:
    """Where a run's collector is started, and whose files it makes."""

    engine: Engine
    spec: SandboxSpec
    paths: RunPaths
    identity: Identity
    clock: Clock


@contextmanager
def open_collector(place: CollectorPlace, beside: Beside | None = None) -> Iterator[Collector]:
    """Start a collector as far as its report that it is ready; it is removed when the scope ends.

    `beside` is told when the engine has made it as planned, and says when it may be started.
    """
    paths = place.paths
    remove_tree(paths.collector_out)
    paths.collector_in.mkdir(mode=0o755, exist_ok=True)
    paths.collector_in.chmod(0o755)
    paths.collector_out.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(paths.collector_out, place.identity.uid, place.identity.gid)
    with listen(paths.collector_in) as handshake:
        box = place.engine.create(place.spec, {})
        with started_once(Thread(target=close_quietly, args=(box,), name="removal")) as removal:
            if differences := box.differences():
                raise EngineError("The engine did not apply the collector as planned: " + "; ".join(differences))
            if beside is not None:
                beside.created.set_result(True)
                beside.go.wait()
            output = box.attach()
            box.start()
            if _report(place, box, handshake) != READY:
                raise EngineError("The collector did not report that it is ready.")
            yield Collector(box=box, output=output, handshake=handshake, removal=removal)


def _report(place: CollectorPlace, box: Box, handshake: Handshake) -> bytes:
    """What it reports. Raises `ContainerGoneError` where somebody ended it first: another one is as good."""
    try:
        return await_report(place.spec, box, handshake, place.clock)
    except EngineError as error:
        ended = box.wait(0.01)
        if ended is not None and ended.signalled:
            raise ContainerGoneError("The collector was ended from outside before it was ready.") from error
        raise


@contextmanager
def started_once(thread: Thread) -> Iterator[Thread]:
    """A thread that has run when the scope ends, whether or not somebody started it before."""
    try:
        yield thread
    finally:
        if thread.ident is None:
            thread.start()
        thread.join()


class Beside:
    """A collector that is made while the caller does something else, and started when the caller lets it.

    Where it may turn out that there is nothing for it to do, it is made when somebody asks for it.
    """

    def __init__(self, begin: Callable[[], None], *, on_demand: bool) -> None:
        self.on_demand = on_demand
        self.created: Future[bool] = Future()
        """Whether the engine has made it as planned, once that is known."""
        self.go = Event()
        """Set: it may be started."""
        self.future: Future[Collector] = Future()
        self._begin, self._begun = begin, False

    def made(self) -> None:
        """Wait until it is made; raises what its making raised."""
        if not self.on_demand and not self.created.result():
            self.result()

    def ready(self) -> None:
        """Wait until it waits for work; raises what its start raised."""
        if not self.on_demand:
            self.result()

    def result(self) -> Collector:
        """The collector, ready; raises what its start raised."""
        self.go.set()
        if self.on_demand and not self._begun:
            self._begun = True
            self._begin()
        return self.future.result()


@contextmanager
def collector_beside(place: CollectorPlace, *, on_demand: bool) -> Iterator[Beside]:
    """Make a collector, and start it as soon as it may be; `on_demand`: when its result is asked for."""
    with ExitStack() as scope, ThreadPoolExecutor(max_workers=2, thread_name_prefix="collector") as threads:

        def begin() -> None:
            beside.future = threads.submit(open_it)

        beside = Beside(begin, on_demand=on_demand)
        scope.callback(beside.go.set)

        def open_it() -> Collector:
            try:
                return scope.enter_context(open_collector(place, beside))
            finally:
                if not beside.created.done():
                    beside.created.set_result(False)

        def load() -> None:
            beside.go.wait()
            for module in ("runner.run.collect", "runner.run.finish", "runner.report.summary"):
                import_module(module)

        if not on_demand:
            begin()
        # What the work is collected with, and what comes after, is loaded while we would only wait for a container.
        threads.submit(load)
        try:
            yield beside
        finally:
            beside.go.set()
