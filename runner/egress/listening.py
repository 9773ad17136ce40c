"""The socket of a gateway: made before the gateway, so that a sandbox can be started while the gateway is loaded."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from runner.errors import EngineError
from runner.plan import GATEWAY_SOCKET


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[socket.socket]:
    """A socket in `folder`, which is mounted into one container and seen by no other. Raises `EngineError`.

    Who connects waits until there is a gateway that answers.
    """
    try:
        # A socket's address holds 108 bytes and state directories can be deep: bind through the folder's descriptor.
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise EngineError(f"The gateway's socket cannot be made: {error.strerror}.") from error
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _bind(listener, handle)
        yield listener
    finally:
        listener.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(GATEWAY_SOCKET, dir_fd=handle)
        os.close(handle)


def _bind(listener: socket.socket, handle: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(GATEWAY_SOCKET, dir_fd=handle)  # that of a Paddock which died
    path = f"/proc/self/fd/{handle}/{GATEWAY_SOCKET}"
    try:
        listener.bind(path)
        # The agent's uid has to be able to connect; only this run's sandbox sees the folder.
        os.chmod(path, 0o666)  # noqa: PTH101, S103 - the path through the descriptor
        listener.listen(1024)
    except OSError as error:
        raise EngineError(f"The gateway's socket cannot be made: {error.strerror}.") from error
    listener.setblocking(False)
