"""`paddock forward`, `exec` and `shell`: a look into a sandbox while its agent works."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator, Sequence

from runner.cli.looking import still_running
from runner.cli.managing import engine
from runner.cli.runs import find_run
from runner.cli.terminal import OutputWriter, answer, say
from runner.errors import ContainerGoneError, EngineError, UsageError
from runner.run.reaching import Reached, forwarding, parse_ports, reach
from runner.sandbox.engine import Inside
from runner.sandbox.forward import ADDRESS, Forwarder
from runner.store.ledger import RunRow

PIECE = 64 * 1024
END_SECONDS = 2.0
SHELL = ("sh", "-c", "if command -v bash >/dev/null 2>&1; then exec bash -i; else exec sh -i; fi")


def forward_ports(run_id: str, wanted: Sequence[str]) -> None:
    """Serve ports of a sandbox on this machine's loopback until Ctrl-C, or until the run is over."""
    for text in wanted:
        parse_ports(text)
    allow_many_connections()
    row, paths = find_run(run_id)
    reached = reach(row, paths, engine())
    with quiet_end(), forwarding(reached, row, paths, wanted) as (forwarder, doors):
        for door in doors:
            answer(f"http://{ADDRESS}:{door.outer}  is port {door.inner} of {row.id}")
        sys.stdout.flush()
        say("Ctrl-C ends it. What answers there is the agent's: trust it as little as any page of the web.")
        carry(forwarder, row, reached)


def carry(forwarder: Forwarder, row: RunRow, reached: Reached) -> None:
    """Until the relay has gone; because the run is over, or else that is an error."""
    while not forwarder.ended.is_set():
        forwarder.turn()
    with contextlib.suppress(ContainerGoneError):
        ended = reached.box.wait(END_SECONDS)  # its Paddock may need a moment to see that the agent has ended
        found, _ = find_run(row.id)
        if ended is None and found.phase == row.phase and still_running(found):
            raise EngineError(f"The relay in the sandbox of {row.id} was ended.", hint="Try again.")
    say(f"{row.id} has ended.")


@contextlib.contextmanager
def quiet_end() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the scope in order."""

    def end(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)


def allow_many_connections() -> None:
    """Each takes two descriptors, and many systems let a process begin with a thousand."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536) if most > 0 else 65_536, most))


def exec_inside(run_id: str, argv: Sequence[str]) -> int:
    """Run a command in a sandbox with our input and output; its exit code."""
    if not argv:
        raise UsageError("There is no command.", hint="As in `paddock exec ID -- ps aux`.")
    reached = reached_run(run_id)
    with started(reached, argv) as inside:
        threading.Thread(target=pass_input, args=(inside,), name="input", daemon=True).start()
        writer = OutputWriter(stdout_is_taken=False)
        for piece in inside.output():
            writer.write(piece.stream, piece.data)
        return exit_code_of(inside, reached)


def open_shell(run_id: str) -> int:
    """A shell in a sandbox, on this terminal; its exit code. What it prints is not escaped: programs draw there."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("A shell needs a terminal.", hint="`paddock exec ID -- CMD ARGS...` needs none.")
    reached = reached_run(run_id)
    with started(reached, SHELL, terminal=True) as inside, raw_terminal(), window_of(inside):
        threading.Thread(target=pass_input, args=(inside,), name="input", daemon=True).start()
        for piece in inside.output():
            write_all(sys.stdout.fileno(), piece.data)
    return exit_code_of(inside, reached)


def reached_run(run_id: str) -> Reached:
    """The sandbox of the run that is meant."""
    row, paths = find_run(run_id)
    return reach(row, paths, engine())


@contextlib.contextmanager
def started(reached: Reached, argv: Sequence[str], *, terminal: bool = False) -> Iterator[Inside]:
    """A program inside; hung up when the scope ends."""
    inside = reached.start(argv, terminal=terminal)
    try:
        yield inside
    finally:
        inside.close()


def exit_code_of(inside: Inside, reached: Reached) -> int:
    """The program's own. Raises `ContainerGoneError` in words when the run ended before it."""
    try:
        return inside.exit_code()
    except ContainerGoneError as error:
        raise ContainerGoneError(f"{reached.run} ended, and with it the command.") from error


def pass_input(inside: Inside) -> None:
    """Hand our standard input over as it comes, and its end."""
    with contextlib.suppress(OSError, ValueError, ContainerGoneError):
        while data := os.read(sys.stdin.fileno(), PIECE):
            inside.write(data)
    inside.end_input()


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte."""
    while data:
        data = data[os.write(descriptor, data) :]


@contextlib.contextmanager
def raw_terminal() -> Iterator[None]:
    """Every key goes to the sandbox; the terminal is afterwards as it was."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextlib.contextmanager
def window_of(inside: Inside) -> Iterator[None]:
    """The terminal inside has the size of ours, also after ours has changed."""

    def resize(_number: int = 0, _frame: object = None) -> None:
        size = os.get_terminal_size(sys.stdout.fileno())
        inside.resize(size.lines, size.columns)

    before = signal.signal(signal.SIGWINCH, resize)
    resize()
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
