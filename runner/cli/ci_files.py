"""What `paddock ci` leaves for later steps: job summary, outputs, JUnit XML, a folder with the whole run."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.errors import PaddockError, UsageError
from runner.escape import escape_text
from runner.model.result import RunResult
from runner.report.ci_summary import ci_summary
from runner.report.junit import junit_xml
from runner.store.artifacts import copy_artifacts
from runner.store.files import write_whole
from runner.store.runs import RunPaths

MOST_SUMMARY = 512 * 1024
"""Bytes: GitHub shows none that is larger than a mebibyte, and other steps write into it, too."""
CUT = "\n\n(cut here)\n"
KEPT = ("log", "events", "transcript", "answer", "egress", "bundle", "diff", "record")
"""Files of a run that are copied, by their names in the result's `paths`."""


@dataclass(frozen=True, kw_only=True)
class CiFiles:
    """Where things are wanted; `None`: nowhere."""

    summary: Path | None = None
    """Markdown is added at its end."""
    outputs: Path | None = None
    """Outputs are added at its end, as GitHub reads them."""
    dotenv: Path | None = None
    """Variables, one a line, as GitLab's dotenv reports have them."""
    junit: Path | None = None
    artifacts: Path | None = None
    """A folder that is not there yet, or is empty."""

    def prepare(self) -> None:
        """Make the folders, before there is a run whose result could not be told. Raises `UsageError`."""
        for option, file in (("--junit", self.junit), ("--dotenv", self.dotenv)):
            if file is not None:
                _make(option, file.parent)
        if self.artifacts is not None:
            _make("--artifacts", self.artifacts)
            if any(self.artifacts.iterdir()):
                raise UsageError(f"--artifacts: {escape_text(str(self.artifacts))} is not empty.")

    def deliver(self, result: RunResult) -> Iterator[str]:
        """Write all of it; what could not be written, in words. Whatever fails, the rest is written."""
        values = outputs_of(result, self.artifacts)
        wanted: tuple[tuple[Path | None, Callable[[Path], None]], ...] = (
            (self.summary, lambda file: append(file, bounded(ci_summary(result)))),
            (self.outputs, lambda file: append(file, as_outputs(values))),
            (self.dotenv, lambda file: write_whole(file, as_dotenv(values), mode=0o644)),
            (self.junit, lambda file: write_whole(file, junit_xml([result]), mode=0o644)),
            (self.artifacts, lambda folder: hand_over(result, folder)),
        )
        for place, write in wanted:
            try:
                if place is not None:
                    write(place)
            except PaddockError as error:
                yield error.message
            except OSError as error:
                yield f"{escape_text(str(error.filename or place))}: {error.strerror}"


def _make(option: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{option}: {escape_text(str(folder))} cannot be made: {error.strerror}.") from error


def outputs_of(result: RunResult, artifacts: Path | None) -> dict[str, str]:
    """What later steps may want to know; no text of an agent's is in it."""
    return {
        "outcome": result.outcome.value,
        "exit-code": str(result.exit_code),
        "run-id": result.id,
        "branch": result.branch,
        "base": result.base,
        "head": result.head,
        "commits": str(len(result.commits)),
        "cost-usd": "" if result.cost_usd is None else f"{result.cost_usd:.6f}",
        "artifacts": "" if artifacts is None else os.path.abspath(artifacts),  # noqa: PTH100 - resolve() would follow links
    }


def as_outputs(values: Mapping[str, str]) -> str:
    """Each with a delimiter that nobody can have guessed, as @actions/core writes them."""
    pieces = []
    for name, value in values.items():
        delimiter = f"ghadelimiter_{secrets.token_hex(16)}"
        pieces.append(f"{name}<<{delimiter}\n{value}\n{delimiter}\n")
    return "".join(pieces)


def as_dotenv(values: Mapping[str, str]) -> str:
    """`PADDOCK_RUN_ID=...`; line ends, which the format does not have, are spelled out."""
    return "".join(f"PADDOCK_{name.upper().replace('-', '_')}={escape_text(value)}\n" for name, value in values.items())


def bounded(text: str) -> str:
    """At most what is shown; cut between two lines, for a span of code that nothing ends is none."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= MOST_SUMMARY:
        return text
    return data[:MOST_SUMMARY].decode("utf-8", "ignore").rpartition("\n")[0] + CUT


def append(file: Path, text: str) -> None:
    """Add it at the end, on a line of its own."""
    with file.open("ab") as out:
        out.write(("\n" if out.tell() else "").encode() + text.encode("utf-8", "backslashreplace"))


def hand_over(result: RunResult, folder: Path) -> None:
    """Copies of the run's files; the result is there also where nothing was started. Raises OSError, `StoreError`."""
    write_whole(folder / "result.json", result.model_dump_json(indent=2) + "\n", mode=0o644)
    for name in KEPT:
        if name in result.paths:
            source = Path(result.paths[name])
            shutil.copyfile(source, folder / source.name, follow_symlinks=False)
    if "run" in result.paths:
        paths = RunPaths(Path(result.paths["run"]))
        if paths.signature.exists():
            shutil.copyfile(paths.signature, folder / paths.signature.name, follow_symlinks=False)
        if result.artifacts:
            copy_artifacts(result.artifacts, paths.artifacts, folder / paths.artifacts.name)
