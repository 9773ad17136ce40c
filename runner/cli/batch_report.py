"""`paddock batch report`: what a batch did, in a file or on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from runner.batch.report import report_of
from runner.cli.batch_status import open_batches
from runner.cli.ci_log import json_without_commands
from runner.cli.terminal import ascii_json, say
from runner.clock import SystemClock
from runner.errors import UsageError
from runner.escape import escape_text
from runner.model.batch_report import ReportParts
from runner.report.batch_formats import FORMATS, SUFFIXES
from runner.settings import state_dir
from runner.store.files import write_pieces

USUAL = "md"


def report_batch(prefix: str, *, form: str, output: Path | None) -> None:
    """Write the report to a file, whole or not at all, or print it. Raises `UsageError`, `StoreError`."""
    name = format_of(form, output)
    with open_batches() as batches:
        parts = report_of(state_dir(), batches.find(prefix), batches, SystemClock())
    if output is None:
        for piece in printed(name, parts):
            typer.echo(piece, nl=False)
        return
    write_pieces(output, FORMATS[name](parts), mode=0o644)
    say(f"{parts.head.id}: the report is in {escape_text(str(output))}")


def format_of(form: str, output: Path | None) -> str:
    """The format that was asked for, or that the file's name means. Raises `UsageError`."""
    if form and form not in FORMATS:
        raise UsageError(f"There is no format {escape_text(form)}.", hint=f"Write one of {', '.join(FORMATS)}.")
    if output is None:
        return form or USUAL
    if output.exists() and not output.is_file():
        raise UsageError(f"--output: {escape_text(str(output))} is not a file.")
    if not output.parent.is_dir():
        raise UsageError(f"--output: {escape_text(str(output.parent))} is not a folder.")
    named = form or SUFFIXES.get(output.suffix.lower(), "")
    if not named:
        hint = f"Write --format: {', '.join(FORMATS)}."
        raise UsageError(f"The name {escape_text(output.name)} does not tell its format.", hint=hint)
    return named


def printed(name: str, parts: ReportParts) -> Iterator[str]:
    """The report for stdout: JSON in ASCII on a terminal; everything else is escaped in any case."""
    for piece in FORMATS[name](parts):
        if name != "json":
            yield piece
        else:
            yield json_without_commands(ascii_json(piece) if sys.stdout.isatty() else piece)
