"""What another Paddock needs to finish a run whose own Paddock died: written before the agent begins."""

from __future__ import annotations

from pathlib import Path

from runner.model.base import Record
from runner.model.spec import SandboxSpec
from runner.repo.workspace import Workspace
from runner.run.attempt import Attempt
from runner.store.files import read_bounded, write_whole
from runner.store.runs import RunPaths

RECOVERY_NAME = "recovery.json"
MAX_RECOVERY = 16 * 1024 * 1024


class Recovery(Record):
    """The workspace as it was before the agent began, and the collector that takes it apart."""

    head_branch: str
    base: str
    start: str
    refs: dict[str, str]
    shallow: tuple[str, ...]
    collector: SandboxSpec


def write_recovery(attempt: Attempt, workspace: Workspace) -> None:
    """Write down what a later Paddock needs, before the agent begins."""
    recovery = Recovery(
        head_branch=workspace.head_branch,
        base=workspace.base,
        start=workspace.start,
        refs=dict(workspace.refs),
        shallow=workspace.shallow,
        collector=attempt.collector,
    )
    write_whole(attempt.paths.collector_in / RECOVERY_NAME, recovery.model_dump_json())


def read_recovery(paths: RunPaths) -> Recovery | None:
    """What was written before the agent began; `None` when the run had not got that far."""
    path = paths.collector_in / RECOVERY_NAME
    return Recovery.model_validate_json(read_bounded(path, MAX_RECOVERY)) if path.exists() else None


def workspace_of(recovery: Recovery, paths: RunPaths) -> Workspace:
    """The workspace as it was before the agent began."""
    return Workspace(
        path=Path(paths.workspace),
        head_branch=recovery.head_branch,
        base=recovery.base,
        start=recovery.start,
        refs=recovery.refs,
        shallow=recovery.shallow,
        index_copy=paths.index_copy,
    )
