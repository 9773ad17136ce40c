"""An agent at work, readable: what it says and does, line by line, and on a terminal its totals below, in place."""

from __future__ import annotations

import codecs
import os
import threading
from collections.abc import Iterable, Iterator
from typing import TextIO

import typer

from runner.cli.terminal import abandon
from runner.model.activity import Activity, Progress, Said
from runner.report.activity import (
    NOTHING_YET,
    Line,
    Tone,
    activity_lines,
    status_text,
    totals_text,
    worth_telling,
)
from runner.report.cells import CUT, readable, wrapped

PLAIN_WIDTH = 100
"""How wide lines are where no terminal says."""
ERASE = "\r\x1b[K"
ASIDE = "  | "
"""What stands before a line that the agent wrote to its standard error: such a line is never taken for ours."""
MOST_HELD = 4096
"""Characters of a line without an end that are held back."""
COLORS: dict[Tone, str] = {"tool": "cyan", "edit": "green", "trouble": "red"}
DIM = frozenset[Tone]({"aside", "ours"})


class LiveView:
    """Writes whole lines to one stream, from any thread. Raises `OSError` when nobody reads them any more.

    With `fancy` there are colours and a line at the bottom that is drawn anew; without it no control code at all, and
    totals now and then as lines of their own. Every change is one write, so that nothing flickers.
    """

    def __init__(self, stream: TextIO, *, fancy: bool) -> None:
        self._stream = stream
        self._fancy = fancy
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._told = NOTHING_YET
        self._drawn = False
        self._decoders = {number: codecs.getincrementaldecoder("utf-8")("surrogateescape") for number in (1, 2)}
        self._held = {1: "", 2: ""}
        self.last_words = ""
        """What the agent said last, if it was shown whole."""

    def say(self, text: str) -> None:
        """A line of our own."""
        with self._lock:
            self._write([Line("ours", f"paddock: {text}")])

    def activity(self, activity: Activity | Progress) -> None:
        """What the agent does, or how far it has got."""
        with self._lock:
            if isinstance(activity, Progress):
                self._follow(activity)
                return
            lines = list(activity_lines(activity, width=self._width()))
            if isinstance(activity, Said) and lines:
                self.last_words = "" if lines[-1].text.endswith(CUT) else activity.text.strip()
            self._write(lines)

    def aside(self, stream: int, data: bytes) -> None:
        """A piece of output that is no event stream; it is shown line by line."""
        with self._lock:
            *texts, held = (self._held[stream] + self._decoders[stream].decode(data)).split("\n")
            if len(held) > MOST_HELD:
                texts, held = [*texts, held], ""
            self._held[stream] = held
            if texts:
                self._write(self._aside(texts))

    def rest(self) -> None:
        """The agent is not at work any more: show what was held back, and no totals."""
        with self._lock:
            self._progress, self._told = None, NOTHING_YET
            held = [self._held[stream] + self._decoders[stream].decode(b"", final=True) for stream in self._held]
            self._held = dict.fromkeys(self._held, "")
            self._write(self._aside(text for text in held if text))

    def _follow(self, progress: Progress) -> None:
        if self._fancy:
            self._progress = progress
            self._write([])
        elif worth_telling(progress, self._told):
            self._told = progress
            self._write([Line("ours", f"paddock: {totals_text(progress)}")])

    def _write(self, lines: Iterable[Line]) -> None:
        """Lines above the status, in one piece."""
        text = "".join(f"{self._styled(line)}\n" for line in lines)
        if self._drawn:
            text = ERASE + text
        if self._progress is not None:
            # One cell stays free: a full line leaves the cursor where terminals differ on what an erasure takes away.
            text += typer.style(status_text(self._progress, width=self._width() - 1), dim=True)
        self._drawn = self._progress is not None
        if not text:
            return
        try:
            self._stream.write(text.encode(self._stream.encoding, "backslashreplace").decode(self._stream.encoding))
            self._stream.flush()
        except BrokenPipeError:
            abandon(self._stream)
            raise

    def _aside(self, texts: Iterable[str]) -> Iterator[Line]:
        for text in texts:
            for line in wrapped(readable(text.removesuffix("\r")), self._width() - len(ASIDE)):
                yield Line("aside", ASIDE + line)

    def _styled(self, line: Line) -> str:
        if not self._fancy or line.tone == "words":
            return line.text
        return typer.style(line.text, fg=COLORS.get(line.tone), dim=line.tone in DIM or None)

    def _width(self) -> int:
        """Asked anew each time: a window is made narrower and wider."""
        if not self._stream.isatty():
            return PLAIN_WIDTH
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or PLAIN_WIDTH
        except OSError:
            return PLAIN_WIDTH
