"""Output for people: progress on stderr, answers on stdout, hostile text escaped, colour only where it is wanted."""

from __future__ import annotations

import codecs
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn, TextIO

import typer

from runner.cli.ci_log import exact, json_without_commands
from runner.errors import PaddockError
from runner.escape import escape_text
from runner.settings import color_wanted

_UNPRINTED = re.compile(r"[^ -~\n]")
OUTCOME_COLORS = {"completed": "green", "no-changes": "yellow", "running": "cyan"}


def say(text: str) -> None:
    """One line of progress, on stderr."""
    typer.secho(f"paddock: {text}", err=True, dim=True, color=color_for(sys.stderr.isatty()))


def answer(text: str = "") -> None:
    """One line of an answer, on stdout."""
    typer.echo(text, color=color_for(sys.stdout.isatty()))


def answer_json(document: str) -> None:
    """A JSON document, on stdout: as it is into a file or a pipe, in ASCII on a terminal, which no letter can steer."""
    answer(json_without_commands(ascii_json(document) if sys.stdout.isatty() else document))


def ascii_json(document: str) -> str:
    """The same document, with everything beyond printable ASCII spelled as JSON spells it."""
    return _UNPRINTED.sub(lambda found: "\\u007f" if found[0] == "\x7f" else json.dumps(found[0])[1:-1], document)


def styled(text: str, *, color: str | None = None, bold: bool = False) -> str:
    """`text` for a terminal; the codes are taken out again where colour is not wanted."""
    return typer.style(text, fg=color, bold=bold or None)


def color_for(terminal: bool) -> bool:
    """Whether colour codes are written."""
    return terminal and color_wanted()


def outcome_color(outcome: str) -> str:
    """Green for what went well, red for what did not."""
    return OUTCOME_COLORS.get(outcome, "red")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Aligned columns, as text; the last column is not padded."""
    cells = [list(header), *(list(map(escape_text, row)) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


class OutputWriter:
    """An agent's output: as it is into a file or a pipe, escaped on a terminal, whatever the pieces are cut at.

    A patch stays as it is where a CI system reads along, too: it is to be applied.
    """

    def __init__(self, *, stdout_is_taken: bool, is_patch: bool = False) -> None:
        self._is_patch = is_patch
        self._targets = {1: sys.stderr if stdout_is_taken else sys.stdout, 2: sys.stderr}
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {stream: decoder("surrogateescape") for stream in self._targets}

    def write(self, stream: int, data: bytes) -> None:
        """Show one piece."""
        target = self._targets[stream]
        if target.isatty():
            data = visible(self._decoders[stream].decode(data)).encode("utf-8", "backslashreplace")
        try:
            target.flush()
            buffer = exact(target) if self._is_patch else target.buffer
            buffer.write(data)
            buffer.flush()
        except BrokenPipeError:
            abandon(target)
            raise


def abandon(target: TextIO) -> None:
    """Nobody reads `target` any more: what Python still holds for it must not fail at the end of the process."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), target.fileno())


def open_closed_streams() -> None:
    """Let standard streams that are closed lead nowhere: the next file that is opened would take their place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:  # it is open, and Python could not use it
                os.dup2(handle, number)
                os.close(handle)
            stream = os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)  # what keeps it from being closed once another one stands for it


def end_process(code: int) -> NoReturn:
    """End with `code` once both streams are written; a success that could not be told is none.

    The interpreter is not taken apart first: there is nothing left to close, and it takes a run 15 ms.
    """
    for target in (sys.stdout, sys.stderr):
        try:
            target.flush()
        except BrokenPipeError:
            continue
        except OSError:
            code = code or 1
    os._exit(code)


def visible(text: str) -> str:
    """Hostile text for a terminal: lines and tabs stay, everything else that could steer it is spelled out."""
    return escape_text(text.replace("\r\n", "\n").expandtabs(4), newline=True)


def print_error(error: PaddockError) -> None:
    """What happened, and what to do next, on stderr."""
    for text in filter(None, (error.message, error.hint)):
        typer.echo(f"paddock: {escape_text(text, newline=True)}", err=True)
