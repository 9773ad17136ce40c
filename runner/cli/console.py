"""What a person sees while a run goes on, and at its end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

import typer

from runner.cli.terminal import OutputWriter, answer, color_for, outcome_color, print_error, say, styled
from runner.errors import PaddockError
from runner.escape import escape_text
from runner.model.events import Event, Notice, Phase, PhaseEnded, PhaseStarted, Stopping
from runner.model.result import RunResult

if TYPE_CHECKING:  # a view of an agent's activity, which other runs need not wait for
    from runner.cli.live import LiveView
    from runner.model.activity import Activity, Progress

ENDED = {
    Phase.WORKSPACE: "workspace ready",
    Phase.SANDBOX: "sandbox proved: no network interface, no capabilities, every limit held",
    Phase.COLLECT: "work collected",
    Phase.GATES: "gates have had their look",
}
MOST_ANSWER = 200
"""Lines of an answer on a terminal; a file or a pipe gets all of it."""

View = Literal["live", "raw", "quiet"]
"""`live`: the agent's event stream made readable. `raw`: its output as it is. `quiet`: nothing until the end."""


class Console:
    """Progress on stderr; the agent's output where it belongs; the summary on stderr, after everything."""

    def __init__(self, *, stdout_is_taken: bool, view: View = "raw") -> None:
        self._stdout_is_taken = stdout_is_taken
        self._writer = OutputWriter(stdout_is_taken=stdout_is_taken)
        self._at_work = False
        self.view = view

    @property
    def view(self) -> View:
        """How the agent's work is shown."""
        return self._view

    @view.setter
    def view(self, view: View) -> None:
        self._view = view
        self._live: LiveView | None = None
        if view == "live":
            from runner.cli.live import LiveView

            self._live = LiveView(sys.stderr, fancy=color_for(sys.stderr.isatty()))

    def progress(self, text: str) -> None:
        """A line of a long preparation, such as an image's build."""
        self._say(escape_text(text))

    def output(self, stream: int, data: bytes) -> None:
        """A piece of the agent's output, or of a check's. Of an event stream, its activity is shown instead."""
        if self._view == "raw":
            self._writer.write(stream, data)
        elif self._live is not None and not (stream == 1 and self._at_work):
            self._live.aside(stream, data)

    def activity(self, activity: Activity | Progress) -> None:
        """What the agent does, or how far it has got."""
        if self._live is not None and (self._at_work or activity.kind != "progress"):
            self._live.activity(activity)

    def event(self, event: Event) -> None:
        """Something happened."""
        match event:
            case PhaseEnded(phase=phase, seconds=seconds, failed=False) if phase in ENDED:
                self._say(f"{ENDED[phase]} ({seconds:.2f} s)")
            case PhaseStarted(phase=Phase.AGENT):
                self._at_work = True
                self._say("agent started")
            case PhaseEnded(phase=Phase.AGENT, seconds=seconds):
                self.rest()
                self._say(f"agent ended ({seconds:.2f} s)")
            case PhaseEnded(phase=Phase.CHECK, seconds=seconds):
                self.rest()
                self._say(f"check ended ({seconds:.2f} s)")
            case Stopping(reason=reason, signal=signal):
                self._say(f"stopping the agent: {reason.value} ({signal})")
            case Notice(text=text):
                self._say(f"note: {escape_text(text)}")
            case _:
                pass

    def failure(self, error: PaddockError) -> None:
        """Why nothing was started."""
        print_error(error)

    def summary(self, result: RunResult) -> None:
        """How it ended, on stderr; before that, on stdout, the answer of an agent whose work was shown."""
        if self._live is not None and result.answer.strip() and not self._stdout_is_taken:
            self._answer(result)
        from runner.report.summary import headline, summary_lines  # at the end alone

        word = styled(result.outcome.value, color=outcome_color(result.outcome.value), bold=True)
        lines = [f"{word}  {headline(result)}", *summary_lines(result)]
        typer.echo("\n" + "\n".join(lines), err=True, color=color_for(sys.stderr.isatty()))

    def _answer(self, result: RunResult) -> None:
        """Raw into a file or pipe. On a terminal escaped, and not once more right below the same words."""
        if not sys.stdout.isatty():
            text = result.answer.rstrip("\n") + "\n"
            self._writer.write(1, text.encode("utf-8", "backslashreplace"))
            return
        if sys.stderr.isatty() and self._live is not None and self._live.last_words == result.answer.strip():
            return
        from runner.report.summary import answer_lines

        answer()
        for line in answer_lines(result.answer, more=f"paddock logs {result.id} --transcript", most=MOST_ANSWER):
            answer(line)

    def rest(self) -> None:
        """The agent is not at work any more, or nobody watches it: show what was held back, and no totals."""
        self._at_work = False
        if self._live is not None:
            self._live.rest()

    def _say(self, text: str) -> None:
        if self._view == "quiet":
            return
        if self._live is not None:
            self._live.say(text)
        else:
            say(text)
