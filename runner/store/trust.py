"""What the user trusts of repositories, by digest: one small file beside the config file, of this user's alone."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import StringConstraints, ValidationError

from runner.errors import RefusedError, StoreError
from runner.escape import escape_text
from runner.model.base import Record
from runner.store.files import read_bounded, write_whole

MOST_BYTES = 4 * 1024 * 1024
OTHERS_WRITE = 0o022

What = Literal["image", "policy"]


class Trusted(Record):
    """One decision of the user's: this content may be used for this repository."""

    repository: str
    """Its URL without credentials, or the absolute path of its git directory."""
    what: What
    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
    origin: str
    """The file of the repository that was shown."""
    at: str
    """RFC 3339, UTC."""


class _File(Record):
    version: Literal[1] = 1
    trusted: tuple[Trusted, ...] = ()


def read_trust(file: Path) -> tuple[Trusted, ...]:
    """Every decision, oldest first; none where there is no file.

    Raises `RefusedError` for a file that others could have written, or that cannot be read.
    """
    if not os.path.lexists(file):
        return ()
    try:
        _refuse_others(file.parent, folder=True)
        _refuse_others(file, folder=False)
        return _File.model_validate_json(read_bounded(file, MOST_BYTES)).trusted
    except StoreError as error:
        raise RefusedError(f"{error.message}.", hint=error.hint) from error
    except ValidationError as error:
        raise RefusedError(
            f"{_shown(file)} is not as Paddock writes it: {escape_text(str(error.errors()[0]['msg']))}.",
            hint="Remove it, and trust again what you need: `paddock trust REPO`.",
        ) from None


def is_trusted(file: Path | None, *, repository: str, what: What, digest: str) -> bool:
    """Whether the user trusts exactly this content, for exactly this repository. Raises `RefusedError`."""
    wanted = (repository, what, digest)
    return file is not None and any((each.repository, each.what, each.digest) == wanted for each in read_trust(file))


def add_trust(file: Path, entry: Trusted) -> None:
    """Remember a decision. Raises `RefusedError`, `StoreError`."""
    _change(file, lambda old: (*(each for each in old if not _same(each, entry)), entry))


def revoke_trust(file: Path, repository: str) -> tuple[Trusted, ...]:
    """Forget all that is trusted of a repository, and tell what that was. Raises `RefusedError`, `StoreError`."""
    gone = tuple(each for each in read_trust(file) if each.repository == repository)
    if gone:
        _change(file, lambda old: tuple(each for each in old if each.repository != repository))
    return gone


def _same(one: Trusted, other: Trusted) -> bool:
    return (one.repository, one.what, one.digest) == (other.repository, other.what, other.digest)


def _change(file: Path, change: Callable[[tuple[Trusted, ...]], tuple[Trusted, ...]]) -> None:
    """Read, change, write, while nobody else does."""
    with _alone(file):
        content = _File(trusted=change(read_trust(file)))
        write_whole(file, content.model_dump_json(indent=2) + "\n", durable=True)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_others(file.parent, folder=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(file.with_name(f".{file.name}.lock"), flags, 0o600)
    except OSError as error:
        raise StoreError(f"{_shown(file)} cannot be written: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _refuse_others(path: Path, *, folder: bool) -> None:
    """Raises `RefusedError` where anybody but this user (or root) could have put something there."""
    try:
        status = path.stat() if folder else path.lstat()
    except OSError as error:
        raise StoreError(f"{_shown(path)} cannot be looked at: {error.strerror}") from error
    if stat.S_ISLNK(status.st_mode):
        raise RefusedError(f"{_shown(path)} is a symbolic link, so somebody else may own it.", hint="Remove the link.")
    if status.st_uid not in {os.geteuid(), 0}:
        raise RefusedError(f"{_shown(path)} belongs to another user.", hint="What is trusted must be your own word.")
    if status.st_mode & OTHERS_WRITE:
        raise RefusedError(f"Others may write {_shown(path)}.", hint=f"chmod go-w {_shown(path)}")


def _shown(path: Path) -> str:
    return escape_text(os.fsencode(path))
