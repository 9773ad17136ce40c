"""A program beside the agent, in a container that runs: the engine's `exec`, with its input, output and end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runner.errors import ContainerGoneError, EngineError
from runner.sandbox.docker_api import EngineApi
from runner.sandbox.docker_errors import translated
from runner.sandbox.docker_http import Answer, ApiError
from runner.sandbox.docker_streams import PIECE, frames
from runner.sandbox.engine import Output

NOT_RUNNING = 409
END_SECONDS = 10.0
POLL_SECONDS = 0.02
NO_DETACHING = "ctrl-^,ctrl-@,ctrl-^,ctrl-@,ctrl-^"
"""The engine always has keys that hang up; its own begin with Ctrl-P, which shells use."""


def start_exec(
    client: EngineApi, container: str, argv: Sequence[str], environment: Mapping[str, str], *, terminal: bool
) -> DockerInside:
    """Start a program with the container's own user, directory, variables, limits and privileges."""
    try:
        with translated("start a program in the container"):
            made = client.exec_create(container, _request(argv, environment, terminal=terminal))
            stream = client.exec_start(made["Id"], terminal=terminal)
    except EngineError as error:
        cause = error.__cause__
        if isinstance(cause, ApiError) and cause.status_code == NOT_RUNNING:
            raise ContainerGoneError(error.message) from cause
        raise
    stream.wait_for_ever()
    return DockerInside(client, made["Id"], stream, terminal=terminal)


def _request(argv: Sequence[str], environment: Mapping[str, str], *, terminal: bool) -> dict[str, Any]:
    return {
        "Tty": terminal,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "Cmd": list(argv),
        "Env": [f"{name}={value}" for name, value in sorted(environment.items())],
        "DetachKeys": NO_DETACHING,
    }


class DockerInside:
    """One such program; see `Inside`."""

    def __init__(self, client: EngineApi, identifier: str, stream: Answer, *, terminal: bool) -> None:
        self._client = client
        self._id = identifier
        self._stream = stream
        self._terminal = terminal

    def output(self) -> Iterator[Output]:
        """See `Inside.output`."""
        if not self._terminal:
            yield from frames(self._stream.raw)
            return
        while data := self._stream.raw(PIECE):
            yield Output(1, data)

    def write(self, data: bytes) -> None:
        """See `Inside.write`."""
        try:
            self._stream.write(data)
        except OSError as error:
            raise ContainerGoneError("The program in the container has ended.") from error

    def end_input(self) -> None:
        """See `Inside.end_input`."""
        self._stream.end_input()

    def resize(self, rows: int, columns: int) -> None:
        """See `Inside.resize`."""
        with contextlib.suppress(ApiError, OSError):
            self._client.exec_resize(self._id, rows, columns)

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
        self._stream.close()
