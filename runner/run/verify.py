"""Compares the record of a run with its signature, with a repository, and with the files that the run left."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runner.errors import PaddockError, StoreError
from runner.escape import escape_text
from runner.model.base import Record
from runner.model.record import MAX_RECORD, Statement, parse_statement
from runner.model.statement import SIGNATURE_NAMESPACE
from runner.repo.recorded import Repository
from runner.store.artifacts import digest_of
from runner.store.files import read_bounded
from runner.store.runs import RunPaths, read_result
from runner.store.ssh_signature import MAX_SIGNATURE, SignatureError, check_signature

MOST_TOLD = 20
SECRET = "[secret]"  # noqa: S105 - stands in a record where one was
COMPARED = (
    *("outcome", "exit_code", "agent_exit_code", "reason", "base", "branches", "uncommitted_collected", "gates"),
    *("denials", "limits", "artifacts", "started_at", "ended_at", "timings"),
)
"""Keys that record and result both have."""


class Finding(Record):
    """One comparison."""

    what: str
    state: Literal["good", "bad", "none"]
    """`none`: there is nothing to compare."""
    text: str
    """Escaped."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is to be verified."""

    record: Path
    repository: Repository
    branch: str = ""
    """The one branch that is meant; empty: every branch of the record."""
    signers: Path | None = None
    """Who may have signed it; None: whoever did is only told."""
    files: RunPaths | None = None
    """The run's directory, where that is at hand."""


def verify_record(question: Question) -> tuple[Finding, ...]:
    """Everything that can be said. A record that cannot be read is one bad finding."""
    try:
        data = read_bounded(question.record, MAX_RECORD)
        statement = parse_statement(data)
    except (StoreError, ValueError) as error:
        why = error.message if isinstance(error, StoreError) else _first_line(error)
        return (Finding(what="record", state="bad", text=f"It is no record of Paddock's: {why}"),)
    findings = [*of_itself(statement), *of_signature(question, data)]
    try:
        findings += of_repository(statement, question)
    except PaddockError as error:
        findings.append(Finding(what="commits", state="bad", text=error.message))
    if question.files is not None:
        findings += [*of_files(statement, question.files), *of_result(statement, question.files)]
    return tuple(findings)


def of_itself(statement: Statement) -> Iterator[Finding]:
    """Whether the parts of the record agree with each other."""
    predicate = statement.predicate
    text = json.dumps(predicate.policy.document, sort_keys=True, separators=(",", ":"))
    policy = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    heads = {branch.head for branch in predicate.branches}
    faults = [
        "its policy is not the one of the digest" if policy != predicate.policy.digest else "",
        "its branches are not its subject"
        if not heads <= {subject.digest.gitCommit for subject in statement.subject}
        else "",
    ]
    told = "; ".join(filter(None, faults))
    shown = escape_text(f"{predicate.run}, {predicate.outcome.value}, written by Paddock {predicate.versions.paddock}")
    yield Finding(what="record", state="bad" if told else "good", text=told or shown)


def of_signature(question: Question, data: bytes) -> Iterator[Finding]:
    """Whether it is signed, and by whom."""
    path = question.record.with_name(question.record.name + ".sig")
    if not path.exists() and not path.is_symlink():
        wanted = question.signers is not None
        yield Finding(what="signature", state="bad" if wanted else "none", text="The record is not signed.")
        return
    try:
        signed = check_signature(data, read_bounded(path, MAX_SIGNATURE), SIGNATURE_NAMESPACE, question.signers)
    except (SignatureError, StoreError) as error:
        yield Finding(what="signature", state="bad", text=f"It is not good: {escape_text(str(error))}")
        return
    if signed.signer:
        yield Finding(what="signature", state="good", text=f"By {signed.signer}: {signed.said}")
    else:
        yield Finding(what="signature", state="none", text=f"By whom is open without --signers: {signed.said}")


def of_repository(statement: Statement, question: Question) -> Iterator[Finding]:
    """Whether the branches stand where they stood, and hold the commits of the record. Raises `RepositoryError`."""
    repository, predicate = question.repository, statement.predicate
    imported = {branch.ref: branch.head for branch in predicate.branches if branch.ref}
    if question.branch:
        yield named_branch(question.branch, imported, repository)
    for ref, head in imported.items() if not question.branch else ():
        yield branch_at(ref, head, repository)
    if not imported:
        yield Finding(what="branch", state="none", text="The run made no branch.")
        return
    subjects = [subject.digest.gitCommit for subject in statement.subject]
    if missing := repository.missing([predicate.base, *subjects]):
        told = ", ".join(missing[:MOST_TOLD])
        yield Finding(what="commits", state="bad", text=f"{len(missing)} are not in {repository.path}: {told}")
        return
    yield Finding(what="commits", state="good", text=f"All {len(subjects)} are in {escape_text(str(repository.path))}.")
    for head in dict.fromkeys(imported.values()):
        yield built_on_base(statement, head, repository)


def named_branch(name: str, imported: dict[str, str], repository: Repository) -> Finding:
    """A branch under whatever name it has here: its head has to be one of the record's."""
    found = repository.ref(name)
    if found is None:
        return Finding(what="branch", state="bad", text=f"There is no branch {escape_text(name)}.")
    ref, sha = found
    if sha not in imported.values():
        known = ", ".join(imported.values()) or "none"
        return Finding(what="branch", state="bad", text=f"{escape_text(ref)} is at {sha}; the record knows {known}.")
    return Finding(what="branch", state="good", text=f"{escape_text(ref)} is at {sha}, as recorded.")


def branch_at(ref: str, head: str, repository: Repository) -> Finding:
    """A branch under the name that the run gave it."""
    found, name = repository.ref(ref), escape_text(ref.removeprefix("refs/heads/"))
    if found is None:
        return Finding(what="branch", state="bad", text=f"{name} is gone; it was at {head}.")
    if found[1] != head:
        return Finding(what="branch", state="bad", text=f"{name} is at {found[1]}; it was at {head}.")
    return Finding(what="branch", state="good", text=f"{name} is at {head}, as recorded.")


def built_on_base(statement: Statement, head: str, repository: Repository) -> Finding:
    """The base is an ancestor, and of the branch to review every commit since is a subject."""
    predicate = statement.predicate
    between = repository.between(predicate.base, head)
    if between is None:
        return Finding(what="base", state="bad", text=f"{head} does not build on {predicate.base}.")
    subjects = {subject.digest.gitCommit for subject in statement.subject}
    others = sorted(set(between) - subjects - {predicate.start})
    if others and head == predicate.branches[0].head:
        return Finding(what="base", state="bad", text=f"{len(others)} commits since then are not in the record.")
    return Finding(what="base", state="good", text=f"{head} builds on {predicate.base}: {len(between)} commits.")


def of_files(statement: Statement, paths: RunPaths) -> Iterator[Finding]:
    """Whether the files of the run are as they were, and no artifact came or went."""
    predicate = statement.predicate
    wanted = [(paths.directory, each.name, each.size, each.sha256) for each in predicate.files]
    wanted += [(paths.artifacts, each.name, each.size, each.sha256) for each in predicate.artifacts]
    wrong = [why for folder, name, size, digest in wanted if (why := fault_of(folder, name, size, digest))]
    known = {artifact.name for artifact in predicate.artifacts}
    wrong += [f"artifacts/{escape_text(name)} was not there" for name in sorted(names_in(paths.artifacts) - known)]
    for why in wrong[:MOST_TOLD]:
        yield Finding(what="files", state="bad", text=why)
    if not wrong:
        yield Finding(what="files", state="good", text=f"All {len(wanted)} are as they were.")


def fault_of(folder: Path, name: str, size: int, sha256: str) -> str:
    """Why a file is not as it was; empty if it is. No link is followed."""
    shown = escape_text(f"artifacts/{name}" if folder.name == "artifacts" else name)
    path = folder
    for part in name.split("/"):
        if path.is_symlink():
            return f"{shown} is behind a link"
        path /= part
    try:
        return "" if digest_of(path) == (size, sha256) else f"{shown} has another content"
    except FileNotFoundError:
        return f"{shown} is gone"
    except OSError as error:
        return f"{shown} cannot be read: {error.strerror or error}"


def names_in(folder: Path) -> set[str]:
    """Everything below a folder that is no folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}


def of_result(statement: Statement, paths: RunPaths) -> Iterator[Finding]:
    """Whether result.json, which comes after the record, says the same."""
    try:
        result = read_result(paths)
    except StoreError as error:
        yield Finding(what="result", state="bad", text=error.message)
        return
    predicate = statement.predicate
    told = result.model_dump(mode="json")
    recorded = predicate.model_dump(mode="json")
    wrong = [name for name in COMPARED if told[name] != recorded[name] and SECRET not in json.dumps(recorded[name])]
    if told["id"] != predicate.run:
        wrong.append("id")
    if {told["digests"][key] for key in ("policy", "spec")} != {predicate.policy.digest, predicate.spec}:
        wrong.append("digests")
    listed = [commit.sha for commit in result.commits]
    if not set(listed) <= {subject.digest.gitCommit for subject in statement.subject}:
        wrong.append("commits")
    text = f"result.json says something else of: {', '.join(wrong)}" if wrong else "result.json says the same."
    yield Finding(what="result", state="bad" if wrong else "good", text=text)


def _first_line(error: Exception) -> str:
    return escape_text(str(error).splitlines()[0][:300])
