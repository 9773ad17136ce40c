"""A Unix socket in a folder that one container sees and no other: whoever can see it may connect."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def listening_in(folder: Path, name: str, backlog: int) -> Iterator[socket.socket]:
    """It listens, in place of one that a Paddock which died left there; gone when the scope ends. Raises OSError."""
    # A socket's address holds 108 bytes and state directories can be deep: bind through the folder's descriptor.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=handle)
            listener.bind(f"/proc/self/fd/{handle}/{name}")
            # The agent's uid has to be able to connect.
            os.chmod(name, 0o666, dir_fd=handle)  # noqa: S103
            listener.listen(backlog)
            yield listener
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=handle)
        os.close(handle)
