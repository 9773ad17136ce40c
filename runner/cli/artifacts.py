"""`paddock artifacts`: the files that a run handed over beside its commits."""

from __future__ import annotations

import json
from pathlib import Path

from runner.cli.runs import find_run
from runner.cli.terminal import answer, answer_json, say, table
from runner.errors import RunNotFoundError, UsageError
from runner.report.network import amount
from runner.store.artifacts import copy_artifacts
from runner.store.ledger import RUNNING
from runner.store.runs import read_result


def artifacts_command(run_id: str, *, to: Path | None, as_json: bool) -> None:
    """List them, or with `to` copy them there."""
    row, paths = find_run(run_id)
    if row.state == RUNNING:
        raise RunNotFoundError(
            f"{row.id} is still running: its artifacts are taken at the end.",
            hint=f"Look at `paddock logs -f {row.id}`.",
        )
    found = read_result(paths).artifacts
    if to is not None:
        if as_json:
            raise UsageError("--to and --json say two things.", hint="Leave one out.")
        copy_artifacts(found, paths.artifacts, to.expanduser())
        say(f"copied {len(found)} file{'s' * (len(found) != 1)}")
    elif as_json:
        answer_json(json.dumps([artifact.model_dump() for artifact in found], indent=2))
    elif not found:
        raise RunNotFoundError(
            f"{row.id} handed no artifacts over.", hint="What is wanted is named by --artifact, or in the policy."
        )
    else:
        rows = [(amount(artifact.size), artifact.sha256, artifact.name) for artifact in found]
        for line in table(("SIZE", "SHA-256", "NAME"), rows):
            answer(line)
