"""Asks one git what revisions there are, for as long as there are questions."""

from __future__ import annotations

import os
import select
import signal
import time
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from repository import Repository

KEPT_STDERR = 64 * 1024
KINDS = frozenset({"commit", "tree", "tag", "blob"})
AT_ONCE = 200
"""So many names fit into a pipe, and so many answers into another: nobody waits for each other."""


class StepError(Exception):
    """One step could not be done; the others go on."""


class Questions:
    """A `git cat-file` that waits for names."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._errors: IO[bytes] = open(repository.path + b"/stderr.asked", "w+b")  # noqa: SIM115 - see close
        self._git = repository.start(["cat-file", "--batch-check=%(objectname) %(objecttype)"], self._errors)

    def ask(self, names: list[str]) -> list[tuple[str, str]]:
        """The id and the kind of each; `("", "missing")` for none. Raises StepError, and then it is of no more use."""
        until = time.monotonic() + self._repository.seconds()
        lines: list[bytes] = []
        for at in range(0, len(names), AT_ONCE):
            lines += self._answers(names[at : at + AT_ONCE], until)
        answers = (line.decode("ascii", "replace").split(" ") for line in lines)
        return [(name, rest[0]) if rest[0] in KINDS else ("", "missing") for name, *rest in answers]

    def _answers(self, names: list[str], until: float) -> list[bytes]:
        """One line for each."""
        answer = b""
        try:
            os.write(self._pipe(self._git.stdin), "".join(f"{name}\n" for name in names).encode())
            while answer.count(b"\n") < len(names):
                output = self._pipe(self._git.stdout)
                if not select.select([output], [], [], max(until - time.monotonic(), 0.0))[0]:
                    self._end("took too long")
                piece = os.read(output, 65536)
                if not piece:
                    self._end(f"failed: {self._said()}")
                answer += piece
        except OSError:
            self._end(f"failed: {self._said()}")
        return answer.splitlines()

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read(KEPT_STDERR).decode("utf-8", "backslashreplace").strip()[-500:]

    def _end(self, why: str) -> None:
        self.close()
        self._repository.questions = None
        raise StepError(f"git cat-file {why}")

    @staticmethod
    def _pipe(stream: IO[bytes] | None) -> int:
        if stream is None:
            raise OSError("there is no pipe")
        return stream.fileno()

    def close(self) -> None:
        """End it."""
        with self._errors, self._git:
            os.killpg(self._git.pid, signal.SIGKILL)
