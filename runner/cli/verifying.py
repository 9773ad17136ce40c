"""`paddock verify`: whether everything is as the record of a run says."""

from __future__ import annotations

import json
import os
from pathlib import Path

from runner.cli.runs import find_run
from runner.cli.terminal import answer, answer_json, styled, table
from runner.errors import RunNotFoundError
from runner.escape import escape_text
from runner.model.result import EXIT_UNVERIFIED
from runner.repo.recorded import open_repository
from runner.run.verify import Question, verify_record

SPACE = "paddock/"


def verify_command(name: str, *, signers: Path | None, record: Path | None, repo: Path | None, as_json: bool) -> int:
    """Print every comparison; 0 when none is bad."""
    question = foreign(name, record, repo, signers) if record else own(name, repo, signers)
    findings = verify_record(question)
    bad = any(finding.state == "bad" for finding in findings)
    if as_json:
        document = {"verified": not bad, "findings": [finding.model_dump() for finding in findings]}
        answer_json(json.dumps(document, indent=2))
        return EXIT_UNVERIFIED if bad else 0
    words = {"good": "good", "bad": "BAD", "none": "-"}
    for line in table(("", "", ""), [(each.what, words[each.state], each.text) for each in findings])[1:]:
        answer(line)
    if bad:
        answer(styled("Not everything is as the record says.", color="red", bold=True))
    else:
        answer(styled("Everything is as the record says.", color="green", bold=True))
    return EXIT_UNVERIFIED if bad else 0


def own(name: str, repo: Path | None, signers: Path | None) -> Question:
    """A run of this machine, or a branch under the name that it gave. Raises `RunNotFoundError`."""
    branch = name if SPACE in name else ""
    row, paths = find_run(name.rpartition(SPACE)[2].partition("+")[0])
    if not paths.record.exists():
        raise RunNotFoundError(
            f"{row.id} has no record: it is written when a run ends.", hint=f"Look at `paddock show {row.id}`."
        )
    repository = open_repository(str(repo) if repo else row.repo, effective_uid=os.geteuid())
    return Question(record=paths.record, repository=repository, branch=branch, signers=signers, files=paths)


def foreign(name: str, record: Path, repo: Path | None, signers: Path | None) -> Question:
    """A branch of some repository, and a record that came with it."""
    if not record.exists():
        raise RunNotFoundError(f"There is no {escape_text(str(record))}.", hint="--record names a record.json.")
    repository = open_repository(str(repo or "."), effective_uid=os.geteuid())
    branch = "" if name == "last" else name
    return Question(record=record, repository=repository, branch=branch, signers=signers)
