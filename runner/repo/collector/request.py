"""What the host asks for, and where things are."""

from __future__ import annotations

import json
import time
from typing import NamedTuple


class Request(NamedTuple):
    """What the host asks for (collect.json); trusted."""

    start: str
    head_branch: str
    refs: dict[str, str]
    exclude: list[str]
    object_format: str
    max_branches: int
    leftovers: bool
    shallow: list[str]
    name: str
    email: str
    date: str
    max_file: int
    step_seconds: float
    artifacts: list[str]
    artifact_caps: tuple[int, int, int]
    """How many files, how many bytes each, how many bytes together."""
    artifact_seconds: float
    seconds: float
    """For everything; the host ends us a little later."""
    moves_nothing: bool
    """Whether nothing in the workspace may be moved aside: somebody else will collect it once more."""
    begun: float

    def moment(self, share: float) -> float:
        """When so much of the time is over."""
        return self.begun + share * self.seconds


class Places(NamedTuple):
    """Where things are; bytes, since names inside may be any."""

    workspace: bytes
    inbox: bytes
    out: bytes

    @property
    def git(self) -> bytes:
        return self.workspace + b"/.git"

    @property
    def bundle(self) -> bytes:
        return self.out + b"/changes.bundle"


def read_request(inbox: bytes) -> Request:
    with open(inbox + b"/collect.json", encoding="utf-8") as stream:
        data = json.load(stream)
    if data["version"] != 1:
        raise ValueError("collect.json is not of version 1")
    refs = data["refs"]
    identity = data.get("identity", {})
    return Request(
        start=data["start"],
        head_branch=data["head_branch"],
        refs=refs,
        exclude=sorted(set(data.get("exclude", [data["start"], data["base"], *refs.values()]))),
        object_format=data["object_format"],
        max_branches=data.get("max_branches", 20),
        leftovers=data.get("leftovers", True),
        shallow=data.get("shallow", []),
        name=identity.get("name", "paddock"),
        email=identity.get("email", "paddock@localhost"),
        date=data.get("commit_date", ""),
        max_file=data.get("max_file", 100 * 1024 * 1024),
        step_seconds=data.get("step_seconds", 300.0),
        artifacts=data.get("artifacts", []),
        artifact_caps=tuple(data.get("artifact_caps", (0, 0, 0))),
        artifact_seconds=data.get("artifact_seconds", 60.0),
        seconds=data.get("seconds", 600.0),
        moves_nothing=data.get("moves_nothing", False),
        begun=time.monotonic(),
    )
