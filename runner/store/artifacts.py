"""Artifacts on the host: taken from where the collector put them, and copied to where the user wants them.

The collector's files are opened as what they are, hostile: regular, of the size that was told, never through a link.
What is written here has a checked name, no right to be executed, and stands nowhere until all of it does.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from runner.errors import RefusedError, StoreError
from runner.escape import escape_text
from runner.model.artifact import Artifact, check_artifact_name
from runner.store.tree import remove_tree

PIECE = 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def take_artifacts(
    numbered: Path, files: Sequence[tuple[str, int]], destination: Path
) -> tuple[tuple[Artifact, ...], tuple[str, ...]]:
    """Copy `numbered/0`, `numbered/1` ... to their names (name, size) below `destination`, which becomes theirs alone.

    Returns what is there now, and for each other one why it is not. Raises StoreError when nothing can be written.
    """
    partial = destination.with_name(f"{destination.name}.partial")
    taken, failures = [], []
    remove_tree(partial)  # of a Paddock that died here, or of a first try
    remove_tree(destination)
    if not files:
        return (), ()
    try:
        partial.mkdir(mode=0o700)
        with _opened(numbered, _FOLDER) as source, _opened(partial, _FOLDER) as target:
            for number, (name, size) in enumerate(files):
                try:
                    taken.append(_take(source, str(number), target, name, size))
                except (OSError, ValueError) as error:
                    failures.append(f"the artifact {escape_text(name)} could not be kept: {_reason(error)}")
        partial.rename(destination)
    except OSError as error:
        raise StoreError(f"the artifacts cannot be kept: {_reason(error)}") from error
    return tuple(taken), tuple(failures)


def copy_artifacts(artifacts: Sequence[Artifact], kept: Path, target: Path) -> None:
    """Copy a run's artifacts into the folder `target`, which is made if it is not there. Nothing is overwritten.

    No link is followed, neither at `target` nor below. Raises RefusedError for what is in the way, before anything
    is copied, and StoreError when a file is not what the run took, or cannot be written.
    """
    shown = escape_text(str(target))
    try:
        target.mkdir(exist_ok=True)
        with _opened(kept, _FOLDER) as source, _opened(target, _FOLDER) as folder:
            for artifact in artifacts:
                if _stands(folder, artifact.name):
                    raise RefusedError(f"{shown} has {artifact.name} already.", hint="Choose another folder with --to.")
            for artifact in artifacts:
                _copy(source, artifact.name, folder, artifact.name, artifact.size, mode=0o644, sha256=artifact.sha256)
    except OSError as error:
        raise StoreError(
            f"The artifacts cannot be copied to {shown}: {_reason(error)}.",
            hint="It has to be a folder that you may write to, and no link.",
        ) from error


def digest_of(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a regular file; a link is not followed. Raises OSError."""
    with _opened(path, _FILE) as descriptor:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is no regular file")
        digest, size = hashlib.sha256(), 0
        while piece := os.read(descriptor, PIECE):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


def _take(source: int, number: str, target: int, name: str, size: int) -> Artifact:
    return _copy(source, number, target, check_artifact_name(name), size, mode=0o600)


def _copy(  # noqa: PLR0913 - from where, to where, and what it has to be
    source: int, name: str, target: int, new_name: str, size: int, *, mode: int, sha256: str = ""
) -> Artifact:
    """One file, folders of its name made; raises OSError for anything but a regular file of that size and digest."""
    with _in_folder(source, name, make=False) as (place, last):
        reading = os.open(last, _FILE, dir_fd=place)
    try:
        if not stat.S_ISREG(os.fstat(reading).st_mode):
            raise OSError("it is no regular file")
        with _in_folder(target, new_name, make=True) as (place, last):
            writing = os.open(last, _NEW, mode, dir_fd=place)
            try:
                os.fchmod(writing, mode)  # whatever the umask takes away
                digest = _pour(reading, writing, size)
                if sha256 not in {"", digest}:
                    raise OSError(f"{escape_text(name)} is not what the run took: its content has changed since")
            except BaseException:
                os.unlink(last, dir_fd=place)
                raise
            finally:
                os.close(writing)
    finally:
        os.close(reading)
    return Artifact(name=new_name, size=size, sha256=digest)


def _pour(reading: int, writing: int, size: int) -> str:
    digest, copied = hashlib.sha256(), 0
    while piece := os.read(reading, PIECE):
        digest.update(piece)
        copied += len(piece)
        if copied > size:
            break
        while piece:
            piece = piece[os.write(writing, piece) :]
    if copied != size:
        raise OSError("it has not the size that was told")
    return digest.hexdigest()


@contextmanager
def _in_folder(top: int, name: str, *, make: bool) -> Iterator[tuple[int, str]]:
    """The folder that the last part of `name` stands in, and that part; every step is a real folder."""
    *folders, last = name.split("/")
    here = os.dup(top)
    try:
        for folder in folders:
            if make and not _stands(here, folder):
                os.mkdir(folder, 0o755, dir_fd=here)
            below = os.open(folder, _FOLDER, dir_fd=here)
            os.close(here)
            here = below
        yield here, last
    finally:
        os.close(here)


def _stands(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _reason(error: OSError | ValueError) -> str:
    return escape_text(getattr(error, "strerror", None) or str(error))
