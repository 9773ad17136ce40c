"""What is shown of a run: its agent's work as it is, readable or not at all; and its answer at the end."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from runner.cli.console import Console, View
from runner.errors import UsageError
from runner.model.activity import Answered, Progress, Said, ToolUsed
from runner.model.events import Notice, Phase, PhaseEnded, PhaseStarted
from runner.model.result import Digests, Outcome, RunResult

STREAM = b'{"type": "assistant"}\n'


def result(answer: str = "") -> RunResult:
    return RunResult(
        id="20260101-abcdef",
        outcome=Outcome.COMPLETED,
        exit_code=0,
        repo="/repo",
        answer=answer,
        digests=Digests(policy=""),
        started_at="",
        ended_at="",
    )


def play(console: Console, answer: str = "Fixed.\x1b[2J\n") -> None:
    """A run as a console hears of it."""
    console.progress("building claude")
    console.event(PhaseStarted(phase=Phase.AGENT))
    console.output(1, STREAM)
    console.output(2, b"a warning\x1b[2J\n")
    console.activity(Said(text="I look."))
    console.activity(ToolUsed(name="Bash", detail="make test"))
    console.activity(Progress(tokens=30_000, cost_usd=None, seconds=2, left=60))
    console.activity(Answered(text=answer))
    console.event(PhaseEnded(phase=Phase.AGENT, seconds=1))
    console.event(Notice(text="a note"))
    console.event(PhaseStarted(phase=Phase.CHECK))
    console.output(1, b"1 passed\n")
    console.event(PhaseEnded(phase=Phase.CHECK, seconds=1))
    console.summary(result(answer))


def shown(view: View, capfd: Any, *, taken: bool = False) -> tuple[str, list[str]]:
    play(Console(stdout_is_taken=taken, view=view))
    out, err = capfd.readouterr()
    return out, err.splitlines()


def test_live_is_the_activity_on_stderr_and_the_answer_alone_on_stdout(capfd: Any) -> None:
    out, err = shown("live", capfd)
    assert out == "Fixed.\x1b[2J\n"
    assert err[:8] == [
        "paddock: building claude",
        "paddock: agent started",
        "  | a warning\\x1b[2J",
        "  I look.",
        "    $ make test",
        "paddock: 30.0k tokens, cost unknown, 1 min left",
        "paddock: agent ended (1.00 s)",
        "paddock: note: a note",
    ]
    assert err[8:11] == ["  | 1 passed", "paddock: check ended (1.00 s)", ""]
    assert err[11].startswith("completed  ")


def test_how_far_it_got_is_told_while_the_agent_works_alone(capfd: Any) -> None:
    console = Console(stdout_is_taken=False, view="live")
    console.event(PhaseStarted(phase=Phase.AGENT))
    console.event(PhaseEnded(phase=Phase.AGENT, seconds=1))
    console.activity(Progress(tokens=30_000, cost_usd=None, seconds=2, left=60))
    assert "30.0k tokens" not in capfd.readouterr().err


def test_live_leaves_stdout_to_a_document(capfd: Any) -> None:
    assert shown("live", capfd, taken=True)[0] == ""


def test_raw_is_the_output_as_it_is(capfd: Any) -> None:
    out, err = shown("raw", capfd)
    assert out == STREAM.decode() + "1 passed\n"
    assert "a warning\x1b[2J" in err
    assert "paddock: agent started" in err
    assert "  I look." not in err


def test_quiet_is_the_summary_alone(capfd: Any) -> None:
    out, err = shown("quiet", capfd)
    assert out == ""
    assert err[0] == ""
    assert err[1].startswith("completed  ")


def test_quiet_still_tells_why_nothing_was_started(capfd: Any) -> None:
    Console(stdout_is_taken=False, view="quiet").failure(UsageError("No.", hint="Go."))
    assert capfd.readouterr().err == "paddock: No.\npaddock: Go.\n"


def test_an_answer_that_is_none_prints_nothing(capfd: Any) -> None:
    play(Console(stdout_is_taken=False, view="live"), answer=" \n")
    assert capfd.readouterr().out == ""


def test_the_view_can_be_chosen_after_the_console_was_made(capfd: Any) -> None:
    console = Console(stdout_is_taken=False)
    console.view = "live"
    play(console)
    assert "    $ make test" in capfd.readouterr().err


@pytest.mark.parametrize("absent", ["rich", "runner.cli.live", "runner.model.activity", "runner.report.activity"])
def test_a_view_is_loaded_where_it_is_wanted_alone(absent: str) -> None:
    code = "import sys, runner.cli.console; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "runner.cli.console" in loaded
    assert absent not in loaded
