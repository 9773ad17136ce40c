"""Where the values of secrets come from: the environment, a file of the user's, or a command that prints one."""

from __future__ import annotations

import os
import select
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from runner.errors import RefusedError
from runner.escape import escape_text
from runner.model.settings import SecretSource
from runner.redact import MIN_LENGTH

MOST_BYTES = 64 * 1024
COMMAND_SECONDS = 30.0
TOLD_BYTES = 300
_LOOK_SECONDS = 0.02

Lookup = Callable[[str], str | None]
"""The value of a variable of this host's environment."""


class Secret(str):
    """A value that no `repr` shows: neither its own nor that of what holds it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"


class NoSecretError(ValueError):
    """There is no value; the message says where it was looked for and why not, and never holds one."""


def load_secrets(names: Iterable[str], sources: Mapping[str, SecretSource], lookup: Lookup) -> dict[str, str]:
    """The value of every name, each a `Secret`.

    Raises `RefusedError` that tells of each one that is missing, where it was looked for, and what to do.
    """
    found: dict[str, str] = {}
    missing = []
    for name in sorted(set(names)):
        try:
            found[name] = load_secret(sources.get(name, SecretSource(env=name)), lookup)
        except NoSecretError as error:
            missing.append(f"{name}: {error}")
    if missing:
        raise RefusedError(
            "The policy injects secrets that this host does not have:\n  " + "\n  ".join(missing),
            hint="Set the variable, or say in the config file where the value is: [secrets] "
            'NAME = { file = "~/path" } or { command = ["pass", "show", "name"] }.',
        )
    return found


def load_secret(source: SecretSource, lookup: Lookup) -> Secret:
    """One value, fit to be a header's. Raises `NoSecretError`."""
    if source.file is not None:
        place, value = f"the file {escape_text(str(source.file))}", _from_file(source.file)
    elif source.command:
        place, value = f"the command {escape_text(source.command[0])}", _from_command(source.command)
    else:
        place, value = f"the variable {escape_text(source.env)}", _from_variable(source.env, lookup)
    if not value:
        raise NoSecretError(f"{place} gives an empty value")
    if not value.isascii() or not value.isprintable():
        raise NoSecretError(f"{place} gives a value with line breaks or characters that no header can hold")
    if value != value.strip():
        raise NoSecretError(f"{place} gives a value with blanks around it, which no header keeps")
    if len(value) < MIN_LENGTH:
        raise NoSecretError(f"{place} gives a value of fewer than {MIN_LENGTH} characters, too short to be masked")
    return Secret(value)


def _from_variable(name: str, lookup: Lookup) -> str:
    value = lookup(name)
    if value is None:
        raise NoSecretError(f"the variable {escape_text(name)} is not set")
    return value


def _from_file(path: Path) -> str:
    """A regular file of this user's, which nobody else may read; it is opened once, and then looked at."""
    shown = escape_text(str(path))
    try:
        path = path.expanduser()
    except RuntimeError:
        raise NoSecretError(f"there is no home directory for {shown}") from None
    if not path.is_absolute():
        raise NoSecretError(f"the file {shown} is neither an absolute path nor one below `~/`")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NoSecretError(f"the file {shown} cannot be opened: {error.strerror}") from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise NoSecretError(f"{shown} is not a regular file")
        if status.st_uid != os.geteuid():
            raise NoSecretError(f"the file {shown} belongs to another user")
        if status.st_mode & 0o077:
            raise NoSecretError(f"others may read the file {shown}; `chmod 600` it")
        return _text(os.read(handle, MOST_BYTES + 1), f"the file {shown}")
    finally:
        os.close(handle)


def _from_command(argv: tuple[str, ...]) -> str:
    """What a command prints; its errors are told, its output never."""
    shown = f"the command {escape_text(argv[0])}"
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, start_new_session=True
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "an argument holds a NUL"
            raise NoSecretError(f"{shown} cannot be started: {why}") from None
        with process:
            try:
                output = _printed(process)
            finally:
                # Before it is waited for, so that its number is still its own; what it left running ends with it.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        errors.seek(0)
        said = errors.read(TOLD_BYTES)
    if output is None:
        raise NoSecretError(f"{shown} took longer than {COMMAND_SECONDS:g} s")
    code, data = output
    if code != 0:
        raise NoSecretError(f"{shown} ended with {code}{_told(said, data)}")
    return _text(data, shown)


def _printed(process: subprocess.Popen[bytes]) -> tuple[int, bytes] | None:
    """Exit code and output, of which no more is read than a secret may have; `None` when it takes too long.

    It is not waited for who holds the output open after the command has ended: some leave an agent behind.
    """
    assert process.stdout is not None  # noqa: S101 - it was asked for
    end, data = monotonic() + COMMAND_SECONDS, b""
    os.set_blocking(process.stdout.fileno(), False)
    while monotonic() < end:
        ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        ready, _, _ = select.select([process.stdout], [], [], 0 if ended else _LOOK_SECONDS)
        piece = os.read(process.stdout.fileno(), MOST_BYTES) if ready else b""
        data += piece
        if len(data) > MOST_BYTES:
            return 0, data
        if ended and not piece:
            return (ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status), data
        if ready and not piece and not ended:  # it has closed its output and is still at work
            sleep(_LOOK_SECONDS)
    return None


def _told(said: bytes, printed: bytes) -> str:
    """What a command said of its failure, unless it said there what it printed: that may be the secret."""
    text = escape_text(said.decode("utf-8", "replace").strip())
    return f": {text}" if text and not any(word in said for word in printed.split()) else ""


def _text(data: bytes, place: str) -> str:
    """The value without the one line break that editors and commands put at its end."""
    if len(data) > MOST_BYTES:
        raise NoSecretError(f"{place} gives more than {MOST_BYTES} bytes")
    try:
        return data.decode("ascii").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise NoSecretError(f"{place} gives a value that is not ASCII") from None
