"""`paddock batch`: what is refused before anything starts, what is shown of a batch, and what a terminal sees of it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live as Screen
from typer.testing import CliRunner

from runner.batch.check import Room
from runner.batch.conductor import Conductor, Rules
from runner.batch.live import Live
from runner.cli.app import app
from runner.cli.batch_lines import line_of
from runner.cli.batch_view import PlainView, TableView
from runner.clock import SystemClock
from runner.errors import RefusedError, UsageError
from runner.model.activity import Progress, ToolUsed
from runner.model.batch_events import BatchEvent
from runner.model.events import Phase, PhaseStarted
from runner.report.batch_words import clock
from runner.store.batches import AttemptRow, Batches, BatchRow, TaskRow
from runner.store.owner import this_process

ESCAPE = "\x1b[31mred\x1b]0;title\x07"


@pytest.fixture
def batches(state_dir: Path) -> Iterator[Batches]:
    with Batches(state_dir / "ledger.db") as opened:
        pid, ticks = this_process()
        tasks = [TaskRow(n, name, f"/src/{name}", "claude", "", 1.0, 1, "[]", "[]") for n, name in enumerate("abc", 1)]
        row = BatchRow("2026-11-21-night-aaaa", "/f.toml", "sha256:0", "{}", "2026-11-21T00:00:00Z", pid, ticks)
        opened.add(row, [(task, "{}", 1) for task in tasks])
        done = {"state": "done", "tries": 1, "commits": 2, "branch": "paddock/r", "cost_usd": 0.5, "run": "r"}
        opened.write(row.id, AttemptRow(1, 1, **done, outcome="completed", ok=1))  # type: ignore[arg-type]
        opened.write(row.id, AttemptRow(2, 1, **done, outcome="agent-failed", reason=ESCAPE))  # type: ignore[arg-type]
        yield opened


def shown(*argv: str) -> str:
    done = CliRunner().invoke(app, ["batch", *argv], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_status_of_a_batch_is_a_line_for_each_task_and_what_it_comes_to(batches: Batches) -> None:
    lines = shown("status", "last").splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["a", "completed"], ["b", "agent-failed"], ["c", "queued"]]
    assert lines[-1] == "2026-11-21-night-aaaa: running, 1 of 3 tasks succeeded, 1 failed, 1.00 USD"
    assert "\x1b" not in "".join(lines)


def test_a_batch_whose_process_is_gone_says_how_to_go_on(batches: Batches) -> None:
    batches._change("UPDATE batches SET owner_started = 1")
    assert shown("status", "last").splitlines()[-1] == "go on with it: paddock batch resume 2026-11-21-night-aaaa"
    assert shown("status").splitlines()[1].split()[:5] == ["2026-11-21-night-aaaa", "interrupted", "3", "2", "1"]


def test_a_batch_that_is_over_says_what_can_be_done_with_it(batches: Batches) -> None:
    batch = "2026-11-21-night-aaaa"
    batches.write(batch, AttemptRow(3, 1, state="done", tries=1, outcome="no-changes", ok=1, run="r"))
    batches.end(batch, state="ended", why="", ended_at="t")
    assert shown("status", "last").splitlines()[-4:] == [
        f"{batch}: ended, 2 of 3 tasks succeeded, 1 failed, 1.00 USD",
        f"make the failed ones anew: paddock batch retry {batch}",
        f"look at all of it: paddock batch report {batch} --output report.html",
        f"take the branches: paddock batch merge {batch} (or push, or pr)",
    ]


def test_the_document_has_every_task_and_every_attempt(batches: Batches) -> None:
    document = json.loads(shown("status", "last", "--json"))
    assert (document["state"], document["total"], document["over"], document["failed"]) == ("running", 3, 2, 1)
    first = document["tasks"][0]
    assert (first["name"], first["ok"], first["branch"]) == ("a", True, "paddock/r")
    assert (first["attempts"][0]["tries"], first["attempts"][0]["cost_usd"]) == (1, 0.5)


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["plan"], "There is no batch file"),
        (["run", "f.toml", "--repos-from", "l.txt"], "--repos-from goes with a list"),
        (["run", "f.toml", "--prompt-file", "p.md"], "--prompt-file goes with a list"),
        (["plan", "f.toml", "--agent", "claude"], "--agent goes with a list"),
    ],
)
def test_what_says_two_things_is_refused(state_dir: Path, argv: list[str], error: str) -> None:
    with pytest.raises(UsageError, match=error):
        CliRunner().invoke(app, ["batch", *argv], catch_exceptions=False)


def test_what_is_done_is_not_gone_on_with_and_what_is_at_work_is_not_taken(batches: Batches) -> None:
    for argv in (["resume", "last"], ["retry", "last"]):
        with pytest.raises(RefusedError, match="is being carried out by process"):
            CliRunner().invoke(app, ["batch", *argv], catch_exceptions=False)
    batches.end("2026-11-21-night-aaaa", state="ended", why="", ended_at="t")
    with pytest.raises(RefusedError, match="is done"):
        CliRunner().invoke(app, ["batch", "resume", "last"], catch_exceptions=False)
    with pytest.raises(RefusedError, match=r"No task of .* of those that c means has failed"):
        CliRunner().invoke(app, ["batch", "retry", "last", "c"], catch_exceptions=False)
    with pytest.raises(RefusedError, match="is not at work: ended"):
        CliRunner().invoke(app, ["batch", "stop", "last"], catch_exceptions=False)


# --- while it is at work

EVENT = BatchEvent(at="t", kind="ended", task="a", outcome="completed", commits=1, branch="paddock/r", seconds=61.25)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (EVENT, "a: completed, 1 commit, paddock/r, 61.2 s"),
        (EVENT.model_copy(update={"attempt": 2, "text": ESCAPE}), "a (2): completed, 1 commit, paddock/r, 61.2 s: "),
        (BatchEvent(at="t", kind="began", task="a", number=3), "a began, try 3"),
        (BatchEvent(at="t", kind="skipped", task="a", text="it needs b"), "a is skipped: it needs b"),
        (BatchEvent(at="t", kind="again", task="a", text="in 2 s: x"), "a is tried again in 2 s: x"),
        (BatchEvent(at="t", kind="run", task="a", run="r"), "a is r"),
        (BatchEvent(at="t", kind="notice", text="Stopped"), "Stopped"),
        (EVENT.model_copy(update={"kind": "chosen", "attempt": 2}), "a: attempt 2 is chosen (completed, 1 commit"),
    ],
)
def test_everything_that_happens_has_a_line_without_a_control_code(event: BatchEvent, line: str) -> None:
    assert line_of(event).startswith(line)
    assert line_of(event).isprintable()


def test_without_a_terminal_there_is_a_line_for_what_matters(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainView(quiet=False)
    view.tell(EVENT)
    view.tell(BatchEvent(at="t", kind="run", task="a", run="r"))
    PlainView(quiet=True).tell(EVENT)
    assert capsys.readouterr().err == "paddock: a: completed, 1 commit, paddock/r, 61.2 s\n"


def test_on_a_terminal_a_table_shows_what_runs_and_the_totals(batches: Batches) -> None:
    rules = Rules(room=Room(cpus=9, memory=9, jobs=9, providers={}))
    conductor = Conductor(
        "2026-11-21-night-aaaa",
        batches,
        rules,
        clock=SystemClock(),
        launch=lambda *_: None,
        runs_of=lambda _: [],
        asked_for=lambda _: 0,
        tell=lambda _: None,
    )
    conductor.step()
    live = Live("c", "/src/c", "claude", SystemClock().monotonic() - 62, lambda _: None)
    live.event(PhaseStarted(phase=Phase.AGENT))
    live.activity(ToolUsed(name="Bash", detail=ESCAPE))
    live.activity(Progress(tokens=1, cost_usd=0.25, seconds=1, left=1))
    out = io.StringIO()
    screen = Screen(console=Console(file=out, width=140, force_terminal=False), auto_refresh=False)
    with screen:
        view = TableView("2026-11-21-night-aaaa", screen)
        view.tell(EVENT.model_copy(update={"text": "a failure"}))
        view.look(conductor, {(3, 1): live})
    text = out.getvalue()
    row = next(line for line in text.splitlines() if line.lstrip().startswith("c "))
    assert row.split()[:5] == ["c", "running", "c", "claude", "agent"]
    assert "1:02" in row
    assert "$0.25" in row
    assert "Bash" in row
    assert "2 of 3 done - 1 failed - 1 running" in text
    assert "$1.25" in text
    assert "about 0:30 left" in text
    assert "a failure" in text
    assert "\x1b" not in text


def test_the_time_of_a_run_is_short() -> None:
    assert [clock(seconds) for seconds in (0, 59.9, 61, 3600, 36061)] == ["0:00", "0:59", "1:01", "1:00:00", "10:01:01"]


def test_a_run_is_asked_to_end_never_less_than_before(tmp_path: Path) -> None:
    live = Live("a", "/r", "claude", 0.0, lambda _: None)
    asked = []
    for times in (0, 1, 1, 2, 1, 2):
        live.ask_to_end(times)
        asked.append(live.asked)
    assert asked == [0, 1, 1, 2, 2, 2]


def test_a_report_is_printed_or_written_in_the_format_that_the_files_name_means(
    batches: Batches, tmp_path: Path
) -> None:
    printed = shown("report")
    assert "| 2 | `b` | `b` | `claude` | `agent-failed` |" in printed
    assert "\\x1b[31mred" in printed
    assert "\x1b" not in printed
    for name, begins in (("r.html", "<!doctype html>"), ("r.xml", "<?xml"), ("r.csv", '"batch"'), ("r.json", "{")):
        assert not shown("report", "last", "--output", str(tmp_path / name))
        assert (tmp_path / name).read_text().startswith(begins)
    assert shown("report", "last", "--format", "csv").count("\n") == 4
    assert sorted(path.suffix for path in tmp_path.glob("r.*")) == [".csv", ".html", ".json", ".xml"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--format", "pdf"], "no format pdf"),
        (["--output", "report"], "does not tell its format"),
        (["--output", "/dev/null", "--format", "md"], "is not a file"),
        (["--output", "/nowhere/r.md"], "is not a folder"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_before_anything_is_read(
    argv: list[str], words: str, batches: Batches
) -> None:
    done = CliRunner().invoke(app, ["batch", "report", "last", *argv])
    assert isinstance(done.exception, UsageError)
    assert words in str(done.exception)
