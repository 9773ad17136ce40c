"""The image that a repository offers: what would be pulled or built, and the digest by which a user trusts it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple


class OfferedFile(NamedTuple):
    """One regular file of a build context, as one commit has it; `mode` is 0o755 for programs, 0o644 for all else."""

    path: str
    mode: int
    data: bytes

    @property
    def digest(self) -> str:
        """`sha256:...` of its bytes."""
        return "sha256:" + hashlib.sha256(self.data).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Offer:
    """Either the name of an image (`reference`), or all that one is built from. Every text in it is hostile."""

    origin: str
    """The file of the repository that makes the offer."""
    reference: str = ""
    dockerfile: str = ""
    """The path of its Dockerfile in `files`."""
    target: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    files: tuple[OfferedFile, ...] = ()
    """Sorted by path, each path once."""
    left_out: tuple[str, ...] = ()
    """What of the context is not built from, and why."""
    ignored: tuple[str, ...] = ()
    """Keys of devcontainer.json that are not acted on."""

    @cached_property
    def digest(self) -> str:
        """`sha256:...`, which changes with everything that could change the image: this is what is trusted."""
        whole = hashlib.sha256(b"paddock image 1\n")
        arguments = [text for pair in sorted(self.arguments.items()) for text in pair]
        fixed = [self.reference, self.dockerfile, self.target, str(len(arguments)), *arguments]
        for text in (*fixed, *(word for path, mode, _ in self.files for word in (path, f"{mode:o}"))):
            data = text.encode()
            whole.update(b"%d:%b" % (len(data), data))
        for file in self.files:
            whole.update(b"%d:%b" % (len(file.digest), file.digest.encode()))
        return "sha256:" + whole.hexdigest()
