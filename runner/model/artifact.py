"""Files that a run hands over beside its commits, and the names that they may have on the host."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

from runner.escape import is_plain
from runner.model.base import Record

MOST_FILES = 1_000
MOST_BYTES = 64 * 1024 * 1024
"""Of one file."""
MOST_BYTES_TOGETHER = 256 * 1024 * 1024
DEEPEST_NAME = 32
LONGEST_NAME = 1_024
LONGEST_PART = 255


def check_artifact_name(name: str) -> str:
    """A relative path that can be made below a folder of the host; raises ValueError.

    Nothing in it leads out of that folder or into a `.git`, passes for an option, or looks like what it is not.
    """
    parts = name.split("/")
    if not is_plain(name) or "\\" in name:
        raise ValueError("it has characters that cannot be shown as they are")
    if len(parts) > DEEPEST_NAME or len(name.encode()) > LONGEST_NAME:
        raise ValueError("it is too long or too deep")
    for part in parts:
        if part in {"", ".", ".."} or len(part.encode()) > LONGEST_PART or part[0] in "-~" or part != part.strip():
            raise ValueError("a part of it is no plain file name")
        if part.casefold().rstrip(" .") in {".git", "git~1"}:
            raise ValueError("it lies in a repository's own .git")
    return name


def same_name(name: str) -> str:
    """What two names share that are one file where capitals or ways to write an accent do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


ArtifactName = Annotated[str, AfterValidator(check_artifact_name)]


class Artifact(Record):
    """One file that a run handed over."""

    name: ArtifactName
    """Where it was in the repository; a plain relative path."""
    size: Annotated[int, Field(ge=0)]
    """In bytes."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of its content."""
