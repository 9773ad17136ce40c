"""Starts one program of the user's with a message, and sees to its end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from runner.escape import escape_text


def tell_program(argv: Sequence[str], message: bytes, seconds: float) -> str:
    """Run `argv`, without a shell, with the message on stdin; what went wrong, or nothing.

    After that many seconds it is killed, with everything that it started in its session.
    """
    shown = escape_text(argv[0])
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "an argument holds a NUL"
        return f"{shown} cannot be started: {why}"
    try:
        process.communicate(message, timeout=seconds)
    except subprocess.TimeoutExpired:
        return f"{shown} took longer than {seconds:g} s and was killed"
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return f"{shown} ended with {process.returncode}" if process.returncode else ""
