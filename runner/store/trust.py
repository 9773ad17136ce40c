"""What the user trusts of repositories, by digest: one small file beside the config file, of this user's alone."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import StringConstraints, ValidationError

from runner.errors import RefusedError, StoreError
from runner.escape import escape_text
from runner.model.base import Record
from runner.store.files import read_bounded, write_whole
from runner.store.owned import refuse_others

MOST_BYTES = 4 * 1024 * 1024
_OWN = "What is trusted must be your own word."

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
    text: str = ""
    """Of the policy that was trusted last: what it says, so that a later one can be compared with it."""


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
        refuse_others(file.parent, folder=True, why=_OWN)
        refuse_others(file, folder=False, why=_OWN)
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

    def change(old: tuple[Trusted, ...]) -> tuple[Trusted, ...]:
        others = (each for each in old if not _same(each, entry))
        return (*(_without_text(each) if _replaces(entry, each) else each for each in others), entry)

    _change(file, change)


def text_of_last(file: Path, *, repository: str) -> str | None:
    """What the policy of a repository said that was trusted last; None where none was. Raises `RefusedError`."""
    texts = [each.text for each in read_trust(file) if (each.repository, each.what) == (repository, "policy")]
    return texts[-1] if texts else None


def revoke_trust(file: Path, repository: str) -> tuple[Trusted, ...]:
    """Forget all that is trusted of a repository, and tell what that was. Raises `RefusedError`, `StoreError`."""
    gone = tuple(each for each in read_trust(file) if each.repository == repository)
    if gone:
        _change(file, lambda old: tuple(each for each in old if each.repository != repository))
    return gone


def _same(one: Trusted, other: Trusted) -> bool:
    return (one.repository, one.what, one.digest) == (other.repository, other.what, other.digest)


def _replaces(entry: Trusted, old: Trusted) -> bool:
    """Of one repository's policies only the newest keeps its text."""
    return (entry.repository, entry.what) == (old.repository, old.what)


def _without_text(entry: Trusted) -> Trusted:
    return entry.model_copy(update={"text": ""})


def _change(file: Path, change: Callable[[tuple[Trusted, ...]], tuple[Trusted, ...]]) -> None:
    """Read, change, write, while nobody else does."""
    with _alone(file):
        content = _File(trusted=change(read_trust(file))).model_dump_json(indent=2) + "\n"
        if len(content.encode()) > MOST_BYTES:
            raise RefusedError(
                f"{_shown(file)} would be larger than {MOST_BYTES // 2**20} MiB.",
                hint="Take back what is not needed any more: paddock trust --list, then --revoke.",
            )
        write_whole(file, content, durable=True)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_others(file.parent, folder=True, why=_OWN)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(file.with_name(f".{file.name}.lock"), flags, 0o600)
    except OSError as error:
        raise StoreError(f"{_shown(file)} cannot be written: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _shown(path: Path) -> str:
    return escape_text(os.fsencode(path))
