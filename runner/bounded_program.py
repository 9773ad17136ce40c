"""Starts a program of the user's that answers at once: words in, an answer out, and an end in time."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple


class Answer(NamedTuple):
    """How it ended, and what it printed."""

    code: int
    out: bytes
    err: bytes


def ask(argv: Sequence[str], words: bytes, *, seconds: float, environment: Mapping[str, str]) -> Answer:
    """Run `argv` in `/`, without a terminal or a shell, with `words` on standard input.

    Raises TimeoutError after that many seconds, when it has been killed with all of its process group, and another
    OSError when it cannot be started.
    """
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd="/",
        start_new_session=True,
    )
    with process:
        try:
            out, err = process.communicate(words, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        finally:
            if process.returncode is None:  # not reaped, so the group's id is still ours
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    return Answer(process.returncode, out, err)
