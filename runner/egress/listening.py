"""The socket of a gateway: made before the gateway, so that a sandbox can be started while the gateway is loaded."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runner.errors import EngineError
from runner.folder_socket import listening_in
from runner.plan import GATEWAY_SOCKET

BACKLOG = 1024


@contextmanager
def listening(folder: Path) -> Iterator[socket.socket]:
    """A socket in `folder`, which is mounted into one container and seen by no other. Raises `EngineError`.

    Who connects waits until there is a gateway that answers.
    """
    with ExitStack() as scope:
        try:
            listener = scope.enter_context(listening_in(folder, GATEWAY_SOCKET, BACKLOG))
        except OSError as error:
            raise EngineError(f"The gateway's socket cannot be made: {error.strerror}.") from error
        listener.setblocking(False)
        yield listener
