"""The start of a run's sandbox: the gateway, which brings much code along, is opened while the engine is at it.

The repository has been made by then. It could be made meanwhile, too, but a container is its image's, whatever that is,
and nobody may be in a folder in which git works for us.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from runner.run.attempt import Attempt
from runner.run.start import Started, start_sandbox

if TYPE_CHECKING:
    import socket

    from runner.egress.gateway import Gateway


class Launch:
    """One sandbox that the engine is starting."""

    def __init__(self, started: Future[Started], gateway: Gateway | None) -> None:
        self._started = started
        self.gateway = gateway
        """The run's, where it has a network."""

    def result(self) -> Started:
        """The sandbox, proved, its first process waiting for `go`; raises what its start raised."""
        return self._started.result()


@contextmanager
def launching(attempt: Attempt) -> Iterator[Launch]:
    """A sandbox that is being started. At the scope's end it is gone, then its gateway, however far they had got."""
    with ExitStack() as network, ExitStack() as sandbox:
        listener = _listener(attempt, network)
        network.callback(sandbox.close)  # also what was made after somebody interrupted the wait for it
        threads = network.enter_context(ThreadPoolExecutor(max_workers=1, thread_name_prefix="launch"))
        started = threads.submit(_start, attempt, sandbox)
        sandbox.callback(started.exception)  # waits for its end: of what is still being made, too
        try:
            from runner.run.watching import network_of

            gateway = network.enter_context(network_of(attempt, listener))
        except BaseException:
            if listener is not None:
                listener.close()  # whoever waits in it waits for nothing
            raise
        yield Launch(started, gateway)


def _listener(attempt: Attempt, scope: ExitStack) -> socket.socket | None:
    """The gateway's socket, where the run has a network: what is asked before there is a gateway waits in it."""
    if attempt.prepared.route is None:
        return None
    from runner.egress.listening import listening

    return scope.enter_context(listening(attempt.paths.control))


def _start(attempt: Attempt, scope: ExitStack) -> Started:
    host, paths, secrets = attempt.host, attempt.paths, attempt.prepared.secrets
    return scope.enter_context(start_sandbox(host.engine, attempt.spec, secrets, paths.control, host.clock))
