"""A file that a run's policy came from, as the run's evidence names it."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import StringConstraints

from runner.model.base import Record

Role = Literal["policy", "repository", "ceiling"]
"""The policy that was chosen and what it extends; the repository's own, which tightens; the administrator's bound."""


class PolicyFile(Record):
    """One file, and the digest of its bytes."""

    role: Role
    file: str
    """Its path, escaped; within the repository for a file of a commit."""
    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
    """What `sha256sum` says of the file."""
    commit: str = ""
    """The commit that it was read from; empty for a file of this machine."""


class _Files(Record):
    files: tuple[PolicyFile, ...] = ()


def files_json(files: tuple[PolicyFile, ...]) -> str:
    """A document of all files of one policy."""
    return _Files(files=files).model_dump_json(indent=2) + "\n"


def files_of(data: bytes) -> tuple[PolicyFile, ...]:
    """The files again. Raises ValueError for what is no such document."""
    return _Files.model_validate_json(data).files


def digest_of(data: bytes) -> str:
    """`sha256:...` of a file's bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
