"""The record of a run as it is read: an in-toto statement on the collected commits.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from runner.model.artifact import Artifact
from runner.model.base import Record
from runner.model.network import NetworkRow
from runner.model.policy_file import PolicyFile
from runner.model.result import BranchResult, CheckResult, GateResult, LimitUse, Outcome
from runner.model.spec import ImageRef
from runner.model.statement import PREDICATE_TYPE, STATEMENT_TYPE, canonical

MAX_RECORD = 64 * 1024 * 1024


CommitId = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]


class GitDigest(Record):
    """A commit, by the id that git gives it."""

    gitCommit: CommitId


class Subject(Record):
    """A collected commit: the head of a branch under its ref, any other under its id."""

    name: str
    digest: GitDigest


def _at_commits(branches: tuple[BranchResult, ...]) -> tuple[BranchResult, ...]:
    for branch in branches:
        GitDigest(gitCommit=branch.head)
    return branches


class RecordedAgent(Record):
    """Who worked."""

    name: str
    model: str
    argv: tuple[str, ...]
    """Secrets masked; empty where they were not known any more."""


class RecordedPolicy(Record):
    """What was allowed."""

    name: str
    digest: str
    document: dict[str, Any]
    files: tuple[PolicyFile, ...] = ()
    """Where it came from, and what tightened it."""


class RecordedFile(Record):
    """A file of the run's directory, as it was when the run ended."""

    name: str = Field(pattern=r"^[a-z_]+\.[a-z]+$")
    size: int
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Versions(Record):
    """Of what carried the run out."""

    paddock: str
    python: str
    engine: dict[str, str] = {}
    """The engine and its parts; empty where a later Paddock ended the run."""


class Predicate(Record):
    """What the run was given, and how it ended."""

    run: str
    repo: str
    base: CommitId
    """The commit of the user's that it began at."""
    start: CommitId
    """The commit that the agent was given; another one than `base` where uncommitted changes were carried along."""
    agent: RecordedAgent
    policy: RecordedPolicy
    spec: str
    image: ImageRef
    versions: Versions
    outcome: Outcome
    exit_code: int
    agent_exit_code: int | None
    reason: str
    branches: Annotated[tuple[BranchResult, ...], AfterValidator(_at_commits)]
    uncommitted_collected: bool
    gates: tuple[GateResult, ...]
    check: CheckResult | None
    limits: dict[str, LimitUse]
    limits_hit: tuple[str, ...]
    denials: tuple[NetworkRow, ...]
    artifacts: tuple[Artifact, ...]
    files: tuple[RecordedFile, ...]
    started_at: str
    ended_at: str
    timings: dict[str, float]


class Statement(Record):
    """The whole of record.json."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(default=STATEMENT_TYPE, alias="_type")
    subject: tuple[Subject, ...]
    predicateType: Literal["urn:paddock:run-record:v1"] = PREDICATE_TYPE
    predicate: Predicate

    def canonical(self) -> bytes:
        """Its one spelling."""
        return canonical(self.model_dump(mode="json", by_alias=True))


def parse_statement(data: bytes) -> Statement:
    """Reads a record; raises ValueError for one that is none of ours, or is not in its one spelling."""
    statement = Statement.model_validate_json(data)
    if canonical(json.loads(data)) != data:
        raise ValueError("it is not in canonical form, so it was written by something else")
    return statement
