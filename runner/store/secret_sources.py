"""Where the values of secrets come from: the environment, a file of the user's, or a command that prints one."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from runner.errors import RefusedError
from runner.escape import escape_text
from runner.model.settings import SecretSource

MOST_BYTES = 64 * 1024
COMMAND_SECONDS = 30.0
TOLD_BYTES = 300

Lookup = Callable[[str], str | None]
"""The value of a variable of this host's environment."""


class NoSecretError(ValueError):
    """There is no value; the message says where it was looked for and why not, and never holds one."""


def load_secrets(names: Iterable[str], sources: Mapping[str, SecretSource], lookup: Lookup) -> dict[str, str]:
    """The value of every name. Raises `RefusedError` that tells of each one that is missing, and what to do."""
    found, missing = {}, []
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


def load_secret(source: SecretSource, lookup: Lookup) -> str:
    """One value, fit to be a header's. Raises `NoSecretError`."""
    if source.file is not None:
        place, value = f"the file {source.file}", _from_file(source.file.expanduser())
    elif source.command:
        place, value = f"the command {escape_text(source.command[0])}", _from_command(source.command)
    else:
        place, value = f"the variable {source.env}", _from_variable(source.env, lookup)
    if not value:
        raise NoSecretError(f"{place} gives an empty value")
    if not value.isascii() or not value.isprintable():
        raise NoSecretError(f"{place} gives a value with line breaks or characters that no header can hold")
    return value


def _from_variable(name: str, lookup: Lookup) -> str:
    value = lookup(name)
    if value is None:
        raise NoSecretError(f"the variable {name} is not set")
    return value


def _from_file(path: Path) -> str:
    """A regular file of this user's, which nobody else may read; it is opened once, and then looked at."""
    shown = escape_text(str(path))
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
        except OSError as error:
            raise NoSecretError(f"{shown} cannot be started: {error.strerror}") from error
        with process:
            try:
                output, _ = process.communicate(timeout=COMMAND_SECONDS)
            except subprocess.TimeoutExpired:
                raise NoSecretError(f"{shown} took longer than {COMMAND_SECONDS:g} s") from None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        errors.seek(0)
        said = escape_text(errors.read(TOLD_BYTES).decode("utf-8", "replace").strip())
    if process.returncode != 0:
        raise NoSecretError(f"{shown} ended with {process.returncode}{': ' + said if said else ''}")
    return _text(output, shown)


def _text(data: bytes, place: str) -> str:
    """The value without the one line break that editors and commands put at its end."""
    if len(data) > MOST_BYTES:
        raise NoSecretError(f"{place} gives more than {MOST_BYTES} bytes")
    try:
        return data.decode("ascii").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise NoSecretError(f"{place} gives a value that is not ASCII") from None
