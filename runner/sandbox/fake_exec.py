"""Programs beside a scripted container: what `Box.exec` of the fake engine starts."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

from runner.errors import ContainerGoneError
from runner.sandbox.engine import Output

KILLED = 137
POLL_SECONDS = 0.02


class FakeInside:
    """An `Inside` that is a function on a thread; it ends with its box, or when the function returns."""

    def __init__(
        self,
        program: Beside | None,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        terminal: bool,
        ended: threading.Event,
    ) -> None:
        self.argv = tuple(argv)
        self.environment = dict(environment)
        self.terminal = terminal
        self.size = (0, 0)
        self._program = program or _not_found
        self._box_ended = ended
        self._code: int | None = None
        self._closed = False
        self._input: queue.Queue[bytes] = queue.Queue()
        self._output: queue.Queue[Output] = queue.Queue()
        threading.Thread(target=self._run, name=argv[0], daemon=True).start()

    # What a program may do.

    def read(self) -> bytes:
        """The next piece of input; nothing at its end."""
        while not self._box_ended.is_set():
            try:
                return self._input.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
        return b""

    def print(self, data: bytes, stream: int = 1) -> None:
        """Print."""
        self._output.put(Output(1 if self.terminal else stream, data))

    # The contract of `Inside`.

    def output(self) -> Iterator[Output]:
        """See `Inside.output`."""
        while not self._closed:
            # Asked before the look at the queue: what was printed before the end is there by then.
            over = self._code is not None or self._box_ended.is_set()
            try:
                yield self._output.get(timeout=0 if over else POLL_SECONDS)
            except queue.Empty:
                if over:
                    return

    def write(self, data: bytes) -> None:
        """See `Inside.write`."""
        if self._code is not None or self._box_ended.is_set():
            raise ContainerGoneError("The program in the container has ended.")
        self._input.put(data)

    def end_input(self) -> None:
        """See `Inside.end_input`."""
        self._input.put(b"")

    def resize(self, rows: int, columns: int) -> None:
        """See `Inside.resize`."""
        self.size = (rows, columns)

    def exit_code(self) -> int:
        """See `Inside.exit_code`."""
        return KILLED if self._code is None else self._code

    def close(self) -> None:
        """See `Inside.close`."""
        self._closed = True
        self._input.put(b"")

    def _run(self) -> None:
        self._code = self._program(self)


Beside = Callable[[FakeInside], int]
"""A scripted program beside the agent: returns its exit code."""


def _not_found(inside: FakeInside) -> int:
    inside.print(f"exec: {inside.argv[0]}: not found\n".encode(), 2)
    return 127
