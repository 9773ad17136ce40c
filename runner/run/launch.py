"""The start of a run's sandbox, beside what the run has to do itself meanwhile.

The engine makes the container while git makes the repository, and starts it while the gateway is opened, which brings
much code along. Until the repository has been made we start nobody: git never works for us in a folder that somebody
is in. A sandbox that somebody else has started is none of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

from runner.errors import ContainerGoneError
from runner.run.attempt import Attempt
from runner.run.start import Started, start_sandbox

if TYPE_CHECKING:
    import socket

    from runner.egress.gateway import Gateway


class NotWantedError(Exception):
    """The sandbox was made, and is not to be started."""


class Launch:
    """One sandbox that the engine makes, then starts: `make`, `start` and `result`, in this order, once each."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._network, self._sandbox = ExitStack(), ExitStack()
        self._listener: socket.socket | None = None
        self._wanted: Future[bool] = Future()
        """Whether it is to be started, once that is known."""
        self._started: Future[Started] = Future()
        self.gateway: Gateway | None = None
        """The run's, where it has a network, once it is started."""

    def make(self) -> None:
        """Have the engine make it: all that it mounts is there."""
        self._listener = _listener(self._attempt, self._network)
        self._network.callback(self._sandbox.close)  # also what was made after somebody interrupted the wait for it
        threads = self._network.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="launch"))
        self._started = threads.submit(self._carry_out)
        self._sandbox.callback(self._started.exception)  # waits for its end: of what is still being made, too

    def start(self) -> None:
        """Have it started, and open its gateway meanwhile."""
        self._wanted.set_result(True)
        try:
            from runner.run.watching import network_of

            self.gateway = self._network.enter_context(network_of(self._attempt, self._listener))
        except BaseException:
            if self._listener is not None:
                self._listener.close()  # whoever waits in it waits for nothing
            raise

    def result(self) -> Started:
        """The sandbox, proved, its first process waiting for `go`; raises what its making or its start raised."""
        return self._started.result()

    def close(self) -> None:
        """The sandbox is gone, then its gateway, however far they had got."""
        if not self._wanted.done():
            self._wanted.set_result(False)
        with self._network:
            self._sandbox.close()

    def _carry_out(self) -> Started:
        try:
            return self._sandbox.enter_context(self._sandbox_to_be())
        except ContainerGoneError:  # `docker container prune` takes what was made and not started
            self._made()  # unless none is wanted any more
            return self._sandbox.enter_context(self._sandbox_to_be())

    def _sandbox_to_be(self) -> AbstractContextManager[Started]:
        host, spec, paths = self._attempt.host, self._attempt.spec, self._attempt.paths
        secrets = self._attempt.prepared.secrets
        return start_sandbox(host.engine, spec, secrets, paths.control, host.clock, self._made)

    def _made(self) -> None:
        if not self._wanted.result():
            raise NotWantedError


@contextmanager
def launching(attempt: Attempt) -> Iterator[Launch]:
    """A sandbox that is going to be made; at the scope's end it is gone, and its gateway."""
    launch = Launch(attempt)
    try:
        yield launch
    finally:
        launch.close()


def _listener(attempt: Attempt, scope: ExitStack) -> socket.socket | None:
    """The gateway's socket, where the run has a network: what is asked before there is a gateway waits in it."""
    if attempt.prepared.route is None:
        return None
    from runner.egress.listening import listening

    return scope.enter_context(listening(attempt.paths.control))
