"""Coming back to a run: what it has written is shown as the run itself shows it, in its order, and never doubled."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli import attaching
from runner.cli.attaching import Replay, attach_command, tail_position
from runner.cli.console import Console, View
from runner.cli.waiting import wait_for_runs
from runner.errors import EngineError, UsageError
from runner.model.activity import Said, ToolUsed
from runner.model.events import Event, Notice, Phase, PhaseEnded, PhaseStarted
from runner.model.task import Task
from runner.run.execute import run_task
from runner.run.rounds import run_rounds
from runner.sandbox.fake import FakeBox
from runner.store.ledger import Ledger, RunRow
from runner.store.runs import EventLog, RunPaths, run_paths
from tests.unit.run.fake_host import FakeHost
from tests.unit.run.model_agent import ModelHost, commit, say, started
from tests.unit.run.test_rounds import failing, loop, working

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    """The directory of a run that says nothing by itself."""
    paths = run_paths(tmp_path, "a-run")
    paths.directory.mkdir(parents=True)
    return paths


def replay(paths: RunPaths, view: View = "raw", tail: int | None = None) -> Replay:
    return Replay(paths, Console(stdout_is_taken=False), view, tail=tail)


def happen(paths: RunPaths, *events: Event) -> None:
    for event in events:
        EventLog(paths.events).write(event)


def written(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def worked(paths: RunPaths) -> None:
    """A whole run: its agent, then its check."""
    happen(paths, PhaseEnded(phase=Phase.WORKSPACE, seconds=1), PhaseStarted(phase=Phase.AGENT))
    written(paths.agent_log, "one\ntwo\nthree\n")
    written(paths.activity, "".join(f"{each.model_dump_json()}\n" for each in (Said(text="I look."), Said(text="So."))))
    happen(paths, PhaseEnded(phase=Phase.AGENT, seconds=2), Notice(text="a \x1b[2Jnote"))
    happen(paths, PhaseStarted(phase=Phase.CHECK))
    written(paths.check_log, "checked\n")
    happen(paths, PhaseEnded(phase=Phase.CHECK, seconds=3))


# --- the files as they grow ---------------------------------------------------------------------------------------


def test_what_happened_is_shown_around_what_was_printed(paths: RunPaths, capfd: Captured) -> None:
    worked(paths)
    replay(paths, "live").look()
    assert capfd.readouterr().err.splitlines() == [
        "paddock: workspace ready (1.00 s)",
        "paddock: agent started",
        "  I look.",
        "  So.",
        "paddock: agent ended (2.00 s)",
        "paddock: note: a \\x1b[2Jnote",
        "  | checked",
        "paddock: check ended (3.00 s)",
    ]


def test_output_of_an_agent_without_events_is_shown_as_it_is(paths: RunPaths, capfd: Captured) -> None:
    worked(paths)
    replay(paths).look()
    assert capfd.readouterr().out == "one\ntwo\nthree\nchecked\n"


def test_each_look_shows_only_what_is_new_and_only_whole_lines(paths: RunPaths, capfd: Captured) -> None:
    follow = replay(paths, "live")
    follow.look()
    happen(paths, PhaseStarted(phase=Phase.AGENT))
    line = ToolUsed(name="Bash", detail="make test").model_dump_json() + "\n"
    shown = []
    for piece in (line[:9], line[9:], line, '{"kind": "of another version"}\nnonsense\n'):
        written(paths.activity, piece)
        follow.look()
        shown.append(capfd.readouterr().err)
    assert shown == ["paddock: agent started\n", "    $ make test\n", "    $ make test\n", ""]


@pytest.mark.parametrize(("tail", "out"), [(0, ""), (1, "three\n"), (9, "one\ntwo\nthree\n")])
def test_a_tail_is_the_last_lines_and_nothing_of_what_happened_before(
    tail: int, out: str, paths: RunPaths, capfd: Captured
) -> None:
    worked(paths)
    follow = replay(paths, tail=tail)
    follow.look()
    assert tuple(capfd.readouterr()) == (out, "")
    written(paths.agent_log, "four\n")
    happen(paths, Notice(text="later"))
    follow.look()
    assert tuple(capfd.readouterr()) == ("four\n", "paddock: note: later\n")


def test_an_agent_that_is_at_work_when_we_come_is_known_to_be(paths: RunPaths, capfd: Captured) -> None:
    happen(paths, PhaseStarted(phase=Phase.AGENT))
    follow = replay(paths, "live", tail=0)
    written(paths.activity, Said(text="I look.").model_dump_json() + "\n")
    follow.look()
    assert capfd.readouterr().err == "  I look.\n"


@given(st.lists(st.sampled_from(["", "a", "line", "\r", "\x1b["]), max_size=12), st.booleans(), st.integers(0, 14))
def test_a_tail_begins_where_as_many_lines_are_left(lines: list[str], whole: bool, count: int) -> None:
    text = "\n".join(lines) + ("\n" if whole and lines else "")
    with pytest.MonkeyPatch.context() as patched, _file(text) as path:
        patched.setattr(attaching, "PIECE", 3)
        kept = text[tail_position(path, count) :]
    every = text.removesuffix("\n").split("\n") if text else []
    assert kept.removesuffix("\n").split("\n") == (every[-count:] if count and every else [""])
    assert text.endswith(kept)


@contextmanager
def _file(text: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log")
        path.write_bytes(text.encode())
        yield path


def test_the_tail_of_no_file_is_its_beginning(tmp_path: Path) -> None:
    assert tail_position(tmp_path / "log", 3) == 0


# --- a run under way ----------------------------------------------------------------------------------------------


class UnderWay:
    """A run on a thread of its own: its agent prints, and waits until it is told to end."""

    def __init__(self, fake: FakeHost) -> None:
        self.fake = fake
        self.printed = threading.Event()
        self.end = threading.Event()

    def agent(self, box: FakeBox) -> int:
        """The agent's program."""
        box.write(b"hello\x1b[31m\n")
        commit(box, "file")
        self.printed.set()
        assert self.end.wait(20)
        box.write(b"bye\n")
        return 3

    @contextmanager
    def working(self, task: Task | None = None) -> Iterator[str]:
        """The run's id."""
        task = task or self.fake.task(self.agent)
        thread = threading.Thread(target=lambda: run_task(task, self.fake.host()))
        thread.start()
        try:
            assert self.printed.wait(20)
            yield next(iter((self.fake.state / "runs").iterdir())).name
        finally:
            self.end.set()
            thread.join()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    fake = FakeHost(tmp_path)
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(fake.state))
    return fake


def test_attach_shows_a_run_to_its_end_and_ends_as_it_does(fake: FakeHost, capfd: Captured) -> None:
    under_way = UnderWay(fake)
    with under_way.working() as run:
        threading.Timer(0.5, under_way.end.set).start()
        code = attach_command(run, tail=None, raw=False)
    out, err = capfd.readouterr()
    assert (code, out) == (10, "hello\x1b[31m\nbye\n")
    said = [line.partition(" (")[0] for line in err.splitlines() if line.startswith(("paddock: agent", "agent-failed"))]
    assert said == [
        "paddock: agent started",
        "paddock: agent ended",
        "agent-failed  The agent ended with an exit code of its own.",
    ]


def test_ctrl_c_leaves_the_run_alone_and_says_so(fake: FakeHost, capfd: Captured) -> None:
    under_way = UnderWay(fake)
    with under_way.working() as run:
        threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,)).start()
        assert attach_command(run, tail=None, raw=False) == 130
        assert not fake.cancellation.requested
        assert f"paddock: {run} goes on; `paddock attach {run}`" in capfd.readouterr().err
        under_way.end.set()
        assert attach_command(run, tail=0, raw=False) == 10
    assert "stopped" not in capfd.readouterr().err


def test_attach_to_a_run_that_is_over_shows_its_end_alone(fake: FakeHost, capfd: Captured) -> None:
    result = run_task(fake.task(lambda box: box.write(b"one\ntwo\n") or 0), fake.host())  # type: ignore[func-returns-value]
    assert attach_command(result.id, tail=None, raw=False) == 0
    out, err = capfd.readouterr()
    assert (out, err.split()[0]) == ("", "no-changes")
    attach_command("last", tail=1, raw=False)
    assert capfd.readouterr().out == "two\n"


def test_attach_to_a_run_whose_paddock_died_says_what_to_do(fake: FakeHost) -> None:
    orphan(fake)
    with pytest.raises(EngineError, match="died") as caught:
        attach_command("orphan", tail=None, raw=False)
    assert "paddock recover orphan" in caught.value.hint


def orphan(fake: FakeHost) -> None:
    """A run that nobody carries out any more."""
    fake.state.mkdir()
    with Ledger(fake.state / "ledger.db") as ledger:
        ledger.add(
            RunRow(
                id="orphan",
                repo="/r",
                agent="command",
                policy="offline",
                created_at="2026-01-01T00:00:00Z",
                owner_pid=2**22,
                owner_started=1,
            )
        )


def test_attach_goes_on_with_the_rounds_of_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Captured
) -> None:
    fake = ModelHost(tmp_path)
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(fake.state))
    working(fake)
    failing(fake, 1)
    result = run_rounds(fake.ask("add files", check="make test"), loop(max_rounds=3), fake.host())
    first = result.rounds[0].id
    capfd.readouterr()
    assert attach_command(first, tail=None, raw=False) == 0
    assert f"run       {result.id}" in capfd.readouterr().err
    assert wait_for_runs([first], timeout="", as_json=False) == 0
    assert capfd.readouterr().out == f"{result.id}: completed, {result.branch}\n"


def ends_with(code: int) -> Callable[[FakeBox], int]:
    """An agent that does nothing else."""
    return lambda _: code


# --- waiting ------------------------------------------------------------------------------------------------------


def test_wait_ends_with_the_first_code_that_is_not_0_in_the_order_given(fake: FakeHost, capfd: Captured) -> None:
    good, bad, worse = (run_task(fake.task(ends_with(code)), fake.host()).id for code in (0, 3, 4))
    assert wait_for_runs([good], timeout="", as_json=False) == 0
    assert wait_for_runs([good, bad, worse], timeout="", as_json=True) == 10
    *_, documents = capfd.readouterr().out.partition("\n")
    assert [line.partition('"id":"')[2].partition('"')[0] for line in documents.splitlines()] == [good, bad, worse]


def test_wait_waits_for_a_run_under_way(fake: FakeHost, capfd: Captured) -> None:
    under_way = UnderWay(fake)
    with under_way.working() as run:
        assert wait_for_runs([run], timeout="100ms", as_json=False) == 124
        assert f"{run} is still running" in capfd.readouterr().err
        threading.Timer(0.3, under_way.end.set).start()
        assert wait_for_runs([run], timeout="20s", as_json=False) == 10
    assert capfd.readouterr().out == f"{run}: agent-failed, paddock/{run}\n"


def test_wait_tells_of_a_run_whose_paddock_died_and_waits_for_the_others(fake: FakeHost, capfd: Captured) -> None:
    good = run_task(fake.task(), fake.host()).id
    with Ledger(fake.state / "ledger.db") as ledger:
        row = ledger.get(good)
        assert row is not None
        ledger.add(row._replace(id="orphan", state="running", owner_pid=2**22))
    assert wait_for_runs(["orphan", good], timeout="", as_json=False) == 40
    out, err = capfd.readouterr()
    assert out == f"{good}: no-changes\n"
    assert "`paddock recover orphan`" in err


def test_wait_refuses_a_time_that_is_none(fake: FakeHost) -> None:
    with pytest.raises(UsageError, match="--timeout"):
        wait_for_runs(["last"], timeout="soon", as_json=False)


def test_the_stream_of_a_model_is_shown_as_its_activity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Captured
) -> None:
    fake = ModelHost(tmp_path)
    monkeypatch.setenv("PADDOCK_STATE_DIR", str(fake.state))
    under_way = UnderWay(fake)

    def agent(box: FakeBox) -> int:
        words = {"type": "assistant", "message": {"content": [{"type": "text", "text": "I look\x1b[2J."}]}}
        say(box, started(), words)
        under_way.printed.set()
        return 0 if under_way.end.wait(20) else 1

    fake.agent = agent
    with under_way.working(fake.ask()) as run:
        threading.Timer(0.5, under_way.end.set).start()
        attach_command(run, tail=None, raw=False)
    assert "  I look\\x1b[2J.\n" in capfd.readouterr().err
