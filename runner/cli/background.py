"""`--detach`: a run goes on in a process of its own, which neither Ctrl-C nor the end of the shell reaches.

Until the run exists the two are one command: what is refused is told where it always is, and a clone may ask for a
password. Then the child leaves the terminal, and the parent says the run's id and ends.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from runner.cli.terminal import answer, say
from runner.errors import UsageError
from runner.store.runs import RunPaths

STANDARD = 3
"""Descriptors below this one are input, output and errors."""
BY_SIGNAL = 128
"""What a shell adds to the number of the signal that ended a process."""

Leave = Callable[[RunPaths], None]


def refuse_views(*, raw: bool, json: bool) -> None:
    """Raises `UsageError` for options that speak of what a run in the background shows at its end."""
    for given, option, instead in (
        (json, "--json", "`paddock wait ID --json` prints the document when the run is over"),
        (raw, "--raw", "`paddock attach ID --raw` shows the output as it comes"),
    ):
        if given:
            raise UsageError(f"--detach shows nothing of the run, so {option} says nothing.", hint=f"{instead}.")


def in_background(work: Callable[[Leave], int], *, quiet: bool) -> int:
    """Do `work` in a child, which calls what it is given as soon as there is a run; the exit code of this process.

    It returns twice: in the parent when there is a run (0) or never will be (the work's own exit code), and in the
    child at the end.
    """
    fill_the_standard_ones()
    inherited = inherited_descriptors()
    reading, writing = os.pipe()
    flush_streams()
    if child := os.fork():
        os.close(writing)
        return await_run(child, reading, quiet=quiet)
    os.close(reading)
    return work(Leaving(writing, inherited))


def await_run(child: int, pipe: int, *, quiet: bool) -> int:
    """Say which run the child has begun; without one, what the child ended with."""
    with passing_on(child), os.fdopen(pipe, "rb") as reading:
        run = reading.read().decode("ascii", "replace")
    if not run:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return BY_SIGNAL - code if code < 0 else code
    if not quiet:
        say(f"{run} goes on in the background; `paddock attach {run}` follows it, `paddock stop {run}` ends it")
    answer(run)
    return 0


@contextmanager
def passing_on(child: int) -> Iterator[None]:
    """Hand signals on. From a terminal Ctrl-C reaches parent and child alike, and twice would be once too often."""

    def hand_on(number: int, _: FrameType | None) -> None:
        if number != signal.SIGINT or not os.isatty(0):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, hand_on) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Leaving:
    """Takes this process out of the terminal and its session, once, and tells the parent which run there is."""

    def __init__(self, pipe: int, inherited: frozenset[int]) -> None:
        self._pipe = pipe
        self._inherited = inherited
        self._left = False

    def __call__(self, paths: RunPaths) -> None:
        """Go. Never fails: the run that is there must go on."""
        if self._left:
            return
        self._left = True
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with suppress(OSError):  # already the leader of a session
            os.setsid()
        with suppress(OSError):
            point_streams_at(paths.console)
        for descriptor in self._inherited:
            with suppress(OSError):
                if os.get_inheritable(descriptor):  # whoever waits for the end of that pipe waits for us otherwise
                    os.close(descriptor)
        with suppress(OSError):
            os.write(self._pipe, paths.id.encode())
        os.close(self._pipe)


def point_streams_at(file: Path) -> None:
    """Nothing comes in any more; what goes out goes to `file`, or nowhere when that cannot be written."""
    flush_streams()
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        out = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        out = os.dup(nothing)
    for number in (1, 2):
        os.dup2(out, number)
    for descriptor in (nothing, out):
        if descriptor >= STANDARD:
            os.close(descriptor)


def flush_streams() -> None:
    """Let nothing that was said wait in this process; a stream that was closed before it began is none."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError):
            stream.flush()


def fill_the_standard_ones() -> None:
    """Let no file that is opened from here on be taken for input, output or errors, where one of these is closed."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < STANDARD:
        pass
    os.close(descriptor)


def inherited_descriptors() -> frozenset[int]:
    """What this process was started with beyond input, output and errors; what Python opened is not inheritable."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the listing's own
            if (number := int(entry.name)) >= STANDARD and os.get_inheritable(number):
                found.add(number)
    return frozenset(found)
