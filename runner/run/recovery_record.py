"""What another Paddock needs to finish a run whose own Paddock died, or could not collect.

Some files say how far a run had got. `recovery.json` is written before the agent begins and goes before the
workspace does: while it is there, there is work to collect. Beside it, `began.json` says when the agent began,
`used.json` what it has used of the network so far, `ended.json` how it ended. `collected.json` says what came out, and
stays until the result is on the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from runner.clock import Clock
from runner.errors import PaddockError, StoreError
from runner.model.base import Record
from runner.model.spec import SandboxSpec
from runner.model.usage import Used
from runner.repo.workspace import Workspace
from runner.run.attempt import Attempt
from runner.run.collected import Collected
from runner.run.supervise import Supervised
from runner.store.files import read_bounded, write_whole
from runner.store.owner import this_boot
from runner.store.runs import RunPaths

MAX_RECORD = 64 * 1024 * 1024

R = TypeVar("R", bound=Record)


class Recovery(Record):
    """The workspace as it was before the agent began, and the collector that takes it apart."""

    head_branch: str
    base: str
    start: str
    refs: dict[str, str]
    shallow: tuple[str, ...]
    collector: SandboxSpec


class Beginning(Record):
    """When the agent began, by the clock of one start of the machine: setting the time of day changes nothing."""

    boot: str
    monotonic: float

    def seconds_ago(self, clock: Clock) -> float | None:
        """How long ago that was; `None` when the machine has been started anew since."""
        return max(0.0, clock.monotonic() - self.monotonic) if self.boot == this_boot() else None


class Ending(Record):
    """How the agent ended, and when its work was first collected: in seconds since 1970."""

    supervised: Supervised | None
    at: int
    began: bool = True
    """Whether it had begun at all."""


class Standing(Record):
    """What came out, written before any of it reaches the user's repository."""

    recovery: Recovery
    ending: Ending
    collected: Collected
    used: Used | None = None


def write_recovery(attempt: Attempt, workspace: Workspace) -> None:
    """Write down what a later Paddock needs, before the agent begins."""
    write_whole(attempt.paths.recovery, recovery_of(attempt, workspace).model_dump_json(), durable=True)


def recovery_of(attempt: Attempt, workspace: Workspace) -> Recovery:
    """The record of an attempt."""
    return Recovery(
        head_branch=workspace.head_branch,
        base=workspace.base,
        start=workspace.start,
        refs=dict(workspace.refs),
        shallow=workspace.shallow,
        collector=attempt.collector,
    )


def read_recovery(paths: RunPaths) -> Recovery | None:
    """What was written before the agent began; `None` when the run had not got that far, or is past it."""
    return _read(paths.recovery, Recovery)


def note_beginning(attempt: Attempt) -> None:
    """Write down that the agent begins now."""
    began = Beginning(boot=this_boot(), monotonic=attempt.host.clock.monotonic())
    write_whole(attempt.paths.began, began.model_dump_json())


def read_beginning(paths: RunPaths) -> Beginning | None:
    """When the agent began; `None` when it had not."""
    return _read(paths.began, Beginning)


def used_writer(paths: RunPaths, used: Callable[[], Used]) -> Callable[[], None]:
    """Writes down what was used of the network, where that has changed since the last call. Never fails."""
    written = Used()

    def write() -> None:
        nonlocal written
        now = used()
        if now != written:
            with suppress(PaddockError):
                write_whole(paths.used, now.model_dump_json())
                written = now

    return write


def read_used(paths: RunPaths) -> Used | None:
    """What was used of the network; `None` where nothing was written down."""
    return _read(paths.used, Used)


def note_ending(attempt: Attempt) -> Ending:
    """Write down how the agent ended; what was written down first holds, so that collecting again changes no commit."""
    ending = read_ending(attempt.paths)
    if ending is None:
        at = attempt.ended_at or int(attempt.host.clock.now().timestamp())
        ending = Ending(supervised=attempt.supervised, at=at, began=attempt.began)
        write_whole(attempt.paths.ended, ending.model_dump_json())
    return ending


def read_ending(paths: RunPaths) -> Ending | None:
    """How the agent ended; `None` when nobody had written it down."""
    return _read(paths.ended, Ending)


def write_standing(attempt: Attempt, workspace: Workspace, collected: Collected) -> None:
    """Write down what came out."""
    standing = Standing(
        recovery=recovery_of(attempt, workspace),
        ending=note_ending(attempt),
        collected=collected,
        used=read_used(attempt.paths),
    )
    write_whole(attempt.paths.collected, standing.model_dump_json())


def read_standing(paths: RunPaths) -> Standing | None:
    """What came out; `None` when it was never found out."""
    return _read(paths.collected, Standing)


def _read(path: Path, kind: type[R]) -> R | None:
    if not path.exists():
        return None
    try:
        return kind.model_validate_json(read_bounded(path, MAX_RECORD))
    except ValueError as error:
        raise StoreError(
            f"{path} cannot be read as what Paddock wrote there, so this run cannot be taken up.",
            hint=f"The agent's work, if there is any, is in {path.parent} or {path.parent.parent}.",
        ) from error


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
