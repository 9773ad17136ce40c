"""A program beside the agent, in a container that runs: the engine's `exec`, with its input, output and end."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import docker
import docker.errors
import requests.exceptions

from runner.errors import ContainerGoneError, EngineError
from runner.sandbox.docker_errors import translated
from runner.sandbox.docker_streams import PIECE, frames, hang_up
from runner.sandbox.engine import Output

NOT_RUNNING = 409
END_SECONDS = 10.0
POLL_SECONDS = 0.02
NO_DETACHING = "ctrl-^,ctrl-@,ctrl-^,ctrl-@,ctrl-^"
"""The engine always has keys that hang up; its own begin with Ctrl-P, which shells use."""


def start_exec(
    client: docker.APIClient, container: str, argv: Sequence[str], environment: Mapping[str, str], *, terminal: bool
) -> DockerInside:
    """Start a program with the container's own user, directory, variables, limits and privileges."""
    try:
        with translated("start a program in the container"):
            made = client.exec_create(
                container,
                list(argv),
                stdin=True,
                tty=terminal,
                environment=[f"{name}={value}" for name, value in sorted(environment.items())],
                detach_keys=NO_DETACHING,
            )
            stream: Any = client.exec_start(made["Id"], tty=terminal, socket=True)
    except EngineError as error:
        cause = error.__cause__
        if isinstance(cause, docker.errors.APIError) and cause.status_code == NOT_RUNNING:
            raise ContainerGoneError(error.message) from cause
        raise
    # A silent program is not a broken connection.
    stream._sock.settimeout(None)
    return DockerInside(client, made["Id"], stream, terminal=terminal)


class DockerInside:
    """One such program; see `Inside`."""

    def __init__(self, client: docker.APIClient, identifier: str, stream: Any, *, terminal: bool) -> None:
        self._client = client
        self._id = identifier
        self._stream = stream
        self._terminal = terminal
        # The first output may have come along with the engine's answer, and then it stands in the answer's buffer.
        self._buffer = stream._response.raw._fp.fp

    def output(self) -> Iterator[Output]:
        """See `Inside.output`."""
        if not self._terminal:
            yield from frames(self._read)
            return
        while data := self._read(PIECE):
            yield Output(1, data)

    def write(self, data: bytes) -> None:
        """See `Inside.write`."""
        try:
            self._stream._sock.sendall(data)
        except OSError as error:
            raise ContainerGoneError("The program in the container has ended.") from error

    def end_input(self) -> None:
        """See `Inside.end_input`."""
        with contextlib.suppress(OSError):
            self._stream._sock.shutdown(socket.SHUT_WR)

    def resize(self, rows: int, columns: int) -> None:
        """See `Inside.resize`."""
        with contextlib.suppress(docker.errors.DockerException, requests.exceptions.RequestException):
            self._client.exec_resize(self._id, height=rows, width=columns)

    def exit_code(self) -> int:
        """See `Inside.exit_code`."""
        end = time.monotonic() + END_SECONDS
        while True:
            with translated("look at a program in the container"):
                state = self._client.exec_inspect(self._id)
            if not state["Running"] and state["ExitCode"] is not None:
                return int(state["ExitCode"])
            if time.monotonic() > end:
                raise EngineError("Docker does not tell how the program in the container ended.")
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """See `Inside.close`."""
        if not self._stream.closed:
            with contextlib.suppress(OSError):  # whoever reads in another thread is let go
                self._stream._sock.shutdown(socket.SHUT_RDWR)
        hang_up(self._stream)

    def _read(self, size: int) -> bytes:
        try:
            return self._buffer.read1(size) or b""
        except (OSError, ValueError, AttributeError):  # closed meanwhile
            return b""
