"""What a person sees while a run goes on, and at its end."""

from __future__ import annotations

import sys

import typer

from runner.cli.terminal import OutputWriter, color_for, outcome_color, print_error, say, styled
from runner.errors import PaddockError
from runner.escape import escape_text
from runner.model.events import Event, Notice, Phase, PhaseEnded, PhaseStarted, Stopping
from runner.model.result import RunResult
from runner.report.summary import headline, summary_lines

ENDED = {
    Phase.WORKSPACE: "workspace ready",
    Phase.SANDBOX: "sandbox proved: no network interface, no capabilities, every limit held",
    Phase.COLLECT: "work collected",
    Phase.GATES: "gates have had their look",
}


class Console:
    """Progress on stderr; the agent's output where it belongs; the summary on stderr, after everything."""

    def __init__(self, *, stdout_is_taken: bool) -> None:
        self._writer = OutputWriter(stdout_is_taken=stdout_is_taken)

    def progress(self, text: str) -> None:
        """A line of a long preparation, such as an image's build."""
        say(escape_text(text))

    def output(self, stream: int, data: bytes) -> None:
        """A piece of the agent's output."""
        self._writer.write(stream, data)

    def event(self, event: Event) -> None:
        """Something happened."""
        match event:
            case PhaseEnded(phase=phase, seconds=seconds, failed=False) if phase in ENDED:
                say(f"{ENDED[phase]} ({seconds:.2f} s)")
            case PhaseStarted(phase=Phase.AGENT):
                say("agent started")
            case PhaseEnded(phase=Phase.AGENT, seconds=seconds):
                say(f"agent ended ({seconds:.2f} s)")
            case Stopping(reason=reason, signal=signal):
                say(f"stopping the agent: {reason.value} ({signal})")
            case Notice(text=text):
                say(f"note: {escape_text(text)}")
            case _:
                pass

    def failure(self, error: PaddockError) -> None:
        """Why nothing was started."""
        print_error(error)

    def summary(self, result: RunResult) -> None:
        """How it ended, on stderr."""
        word = styled(result.outcome.value, color=outcome_color(result.outcome.value), bold=True)
        lines = [f"{word}  {headline(result)}", *summary_lines(result)]
        typer.echo("\n" + "\n".join(lines), err=True, color=color_for(sys.stderr.isatty()))
