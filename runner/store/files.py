"""Files written whole or not at all, lines appended in one piece, and reads that are bounded."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from runner.errors import StoreError
from runner.escape import escape_text


def write_whole(path: Path, content: bytes | str, *, mode: int = 0o600, durable: bool = False) -> None:
    """Puts `content` at `path` by a temporary file and a rename: a reader sees the old file or all of the new one.

    A crash of Paddock leaves no half-written file. A crash of the machine may, unless `durable` waits for the disk
    (some milliseconds): what says that a run is over is written so. A symbolic link at `path` is replaced, not
    followed. Raises StoreError.
    """
    data = content.encode() if isinstance(content, str) else content
    with _told(path, "written"):
        _replace(path, (data,), mode, durable=durable)
        if durable:
            _sync_directory(path.parent)


def append_line(path: Path, line: str, *, mode: int = 0o600) -> None:
    """Adds one line to the file in one write, so that lines of several processes do not mix. Raises StoreError."""
    if "\n" in line:
        raise ValueError("a line cannot contain a line break")
    with _told(path, "written"):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            _write_all(descriptor, line.encode("utf-8", "backslashreplace") + b"\n")
        finally:
            os.close(descriptor)


def read_bounded(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes; never follows a link, never waits for a pipe.

    Raises StoreError for anything else, a missing file included.
    """
    with _told(path, "read"), _regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise StoreError(f"{escape_text(str(path))} is larger than {limit} bytes")
    return content


def read_start(path: Path, limit: int) -> tuple[bytes, int]:
    """The first `limit` bytes of a regular file, and its size; never follows a link. Raises StoreError."""
    with _told(path, "read"), _regular(path) as file:
        return file.read(limit), os.fstat(file.fileno()).st_size


def write_pieces(path: Path, pieces: Iterable[str], *, mode: int = 0o600) -> None:
    """As `write_whole`, piece by piece: what is larger than memory is no harm. Raises StoreError."""
    with _told(path, "written"):
        _replace(path, (piece.encode("utf-8", "backslashreplace") for piece in pieces), mode, durable=False)


@contextmanager
def _regular(path: Path) -> Iterator[BinaryIO]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise StoreError(f"{escape_text(str(path))} is not a regular file")
        yield file


@contextmanager
def _told(path: Path, verb: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{escape_text(str(path))} cannot be {verb}: {error.strerror}",
            hint="see whether the disk is full and who owns the directory",
        ) from error


def _replace(path: Path, pieces: Iterable[bytes], mode: int, *, durable: bool) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        _write_new(temporary, pieces, mode, durable=durable)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write_new(path: Path, pieces: Iterable[bytes], mode: int, *, durable: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        os.fchmod(descriptor, mode)  # whatever the umask takes away
        for data in pieces:
            _write_all(descriptor, data)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some file systems cannot, and have nothing to wait for
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path, mode: int) -> None:
    """Make a folder of exactly that mode, whatever the user's umask is. Raises OSError."""
    path.mkdir(mode=mode)
    path.chmod(mode)
