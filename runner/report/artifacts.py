"""Artifacts in a summary: what a run handed over beside its commits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.model.artifact import Artifact
from runner.report.network import amount

SHOWN = 10


def artifact_facts(artifacts: Sequence[Artifact], run: str) -> Iterator[tuple[str, str]]:
    """The first of them with their sizes; where there are more, the command that lists all."""
    for number, artifact in enumerate(artifacts[:SHOWN]):
        yield "" if number else "artifacts", f"{artifact.name}  ({amount(artifact.size)})"
    if len(artifacts) > SHOWN:
        yield "", f"and {len(artifacts) - SHOWN} more: paddock artifacts {run}"
