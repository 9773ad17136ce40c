"""A result as commands of GitHub, Gitea and Forgejo: one line for each thing that a person should see. Pure.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from runner.escape import escape_text
from runner.model.gates import heading
from runner.model.result import EXIT_CODES, Outcome, RunResult, Verdict
from runner.report.cells import readable
from runner.report.summary import headline

MOST = 10
"""Of one kind: GitHub shows no more in a step."""
MOST_TEXT = 4000
"""Characters of one annotation."""
CHECK_LINES = 20
GOOD = frozenset({Outcome.COMPLETED, Outcome.NO_CHANGES})

# What names a file in a gate's line: the name, then what was found there.
_FILE = re.compile(r"(?P<file>[^\s:()\\]+)(?::(?P<line>\d{1,9}))?(?: \(|:? )")


Command = Callable[..., str]
"""Writes one command: `error`, `warning` or `notice`, its text, and `title`, `file`, `line`; empty if there is none."""


def annotations_of(result: RunResult, write: Command | None = None) -> Iterator[str]:
    """Commands without their line ends: how the run ended, then its check and its gates.

    `write` gives them in another dialect than GitHub's.
    """
    command = write or github_command
    yield command("notice" if result.exit_code == 0 else "error", _ended(result), title=f"Paddock: {_title(result)}")
    if result.check and result.check.failed:
        tail = "\n".join(readable(result.check.output).rstrip().split("\n")[-CHECK_LINES:])
        yield command("error", f"{result.check.command}\n{tail}".strip(), title="Paddock: the check failed")
    for verdict, kind in ((Verdict.BLOCKED, "error"), (Verdict.FLAGGED, "warning")):
        found = [(gate.name, line) for gate in result.gates if gate.verdict is verdict for line in gate.detail or ("",)]
        for name, line in found[:MOST]:
            yield command(kind, line or name, title=f"Paddock: {heading(name)}", **_place(line))
        if len(found) > MOST:
            yield command(kind, f"and {len(found) - MOST} more: see the job's summary", title="Paddock")
    for leak in result.leaks[:MOST]:
        yield command("warning", leak, title="Paddock: left over")


def github_command(name: str, message: str, **properties: str) -> str:
    """One command. Whatever stands in `message` and `properties` stays there; what cannot be shown is spelled out."""
    words = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    return f"::{name}{' ' if words else ''}{words}::{_data(message[:MOST_TEXT])}"


def _data(text: str) -> str:
    """As @actions/core escapes what is said; every line end but a line feed is spelled out before."""
    return escape_text(text, newline=True).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """As @actions/core escapes a property."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _ended(result: RunResult) -> str:
    lines = [headline(result), *([f"Branch: {result.branch}"] if result.branch else [])]
    return "\n".join([*lines, *([f"Run: {result.id}"] if result.id else [])])


def _title(result: RunResult) -> str:
    plain = result.exit_code == EXIT_CODES[result.outcome]
    return result.outcome.value if plain else f"{result.outcome.value} (exit code {result.exit_code})"


def _place(line: str) -> Mapping[str, str]:
    """The file that a gate's line speaks of; none where that is not plain."""
    match = _FILE.match(line)
    if match is None or not {"/", "."} & set(match["file"]):
        return {}
    return {"file": match["file"], "line": match["line"] or ""}
