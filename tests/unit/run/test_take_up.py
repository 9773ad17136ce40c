"""A Paddock that died while its agent works is replaced by another one: the agent notices nothing, its limits hold."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.errors import EngineError
from runner.model.events import Stopping
from runner.model.result import Outcome
from runner.model.usage import Spent, Used
from runner.run import at_work, collect
from runner.run import take_up as take_up_module
from runner.run.execute import run_task
from runner.run.recovery_record import Ending
from runner.run.supervise import Supervised
from runner.run.take_up import GAP, silence
from runner.sandbox.engine import Exit, Times
from runner.sandbox.fake import FakeBox
from runner.store.files import write_whole
from runner.store.runs import read_result
from tests.unit.run.fake_host import FakeHost
from tests.unit.run.model_agent import SESSION, ModelHost, commit, ended, say, started
from tests.unit.run.orphans import Orphanage, PowerCutError
from tests.unit.run.test_execute import commits

SECRET = "s3cret-value"


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def orphanage(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> Orphanage:
    return Orphanage(fake, monkeypatch)


def lines(*spoken: str, pause: float = 0.3, code: int = 0) -> Callable[[FakeBox], int]:
    """A program that says `ready`, then one line after the other, commits, and ends."""

    def program(box: FakeBox) -> int:
        for line in ("ready", *spoken):
            box.write(f"{line}\n".encode(), 2 if line.startswith("!") else 1)
            box.sleep(pause)
        commits(box)
        (box.path("/workspace") / "half.txt").write_text("half done\n", encoding="utf-8")
        return code

    return program


def forever(box: FakeBox) -> int:
    box.write(b"ready\n")
    while True:
        box.sleep(0.05)


def test_an_agent_that_is_at_work_goes_on_and_ends_as_it_would_have(fake: FakeHost, orphanage: Orphanage) -> None:
    paths = orphanage.orphan(lines("one", "!two", "three", pause=0.4))
    time.sleep(0.6)
    result = orphanage.take_up(paths)

    assert (result.outcome, result.agent_exit_code, result.leaks) == (Outcome.COMPLETED, 0, ())
    assert [commit.subject for commit in result.commits] == ["add new.txt", "paddock: uncommitted work"]
    assert sorted(paths.agent_log.read_text().splitlines()) == ["!two", "one", "ready", "three"], "each line once"
    assert paths.agent_log.read_text().splitlines()[0] == "ready"
    assert fake.branches() == ["main", f"paddock/{paths.id}"]
    assert "another one took it up" in result.notices[-1]
    assert not paths.log_before.exists()


def test_an_agent_that_ended_meanwhile_is_heard_to_its_last_word(orphanage: Orphanage) -> None:
    paths = orphanage.orphan(lines("one", "two", pause=0.05, code=7))
    time.sleep(0.8)
    result = orphanage.take_up(paths)

    assert (result.outcome, result.agent_exit_code) == (Outcome.AGENT_FAILED, 7)
    assert paths.agent_log.read_text() == "ready\none\ntwo\n"
    assert result.limits["output"].peak == len("ready\none\ntwo\n")


def test_the_wall_clock_counts_from_the_agents_own_start(fake: FakeHost, orphanage: Orphanage) -> None:
    paths = orphanage.orphan(forever, policy=orphanage.policy('[limits]\nwall_clock = "2s"\ngrace = "1s"'))
    time.sleep(1.0)
    begin = time.monotonic()
    result = orphanage.take_up(paths)

    assert result.outcome is Outcome.TIMED_OUT
    assert 2.0 <= (result.limits["wall_clock"].peak or 0) < 3.0
    assert time.monotonic() - begin < 2.5
    assert [event.signal for event in fake.events if isinstance(event, Stopping)] == ["SIGTERM"]


def test_a_deadline_that_passed_while_nobody_watched_is_held_at_once(orphanage: Orphanage) -> None:
    paths = orphanage.orphan(forever, policy=orphanage.policy('[limits]\nwall_clock = "1s"'))
    time.sleep(1.2)
    assert orphanage.take_up(paths).outcome is Outcome.TIMED_OUT


def test_a_sandbox_that_ended_itself_at_its_deadline_is_told_as_timed_out(orphanage: Orphanage) -> None:
    def ends_itself(box: FakeBox) -> int:
        box.write(b"ready\n")
        box.sleep(1.3)
        return 124

    policy = orphanage.policy('[limits]\nwall_clock = "1s"')
    paths = orphanage.orphan(ends_itself, policy=policy)
    time.sleep(1.8)
    assert orphanage.take_up(paths).outcome is Outcome.TIMED_OUT


def test_an_agent_that_ends_with_that_code_before_its_deadline_has_failed(orphanage: Orphanage) -> None:
    paths = orphanage.orphan(lines(pause=0.05, code=124), policy=orphanage.policy('[limits]\nwall_clock = "60s"'))
    time.sleep(0.5)
    assert orphanage.take_up(paths).outcome is Outcome.AGENT_FAILED


def test_silence_counts_from_the_last_word_also_when_nobody_heard_it(orphanage: Orphanage) -> None:
    def speaks_once_more(box: FakeBox) -> int:
        box.write(b"ready\n")
        box.sleep(0.5)
        box.write(b"once more\n")
        return forever(box)

    paths = orphanage.orphan(speaks_once_more, policy=orphanage.policy('[limits]\nidle = "2s"\ngrace = "1s"'))
    time.sleep(1.5)
    begin = time.monotonic()
    result = orphanage.take_up(paths)

    assert result.outcome is Outcome.IDLE
    assert 0.5 < time.monotonic() - begin < 2.5


@pytest.mark.parametrize(
    ("times", "age", "silent"),
    [
        (Times(ran=100.5, silent=40), 100, 40),
        (Times(ran=3700, silent=3640), 100, 0),  # set forward by an hour
        (Times(ran=0, silent=0), 100, 0),  # set back
        (Times(ran=103, silent=103), 100, 100),
    ],
)
def test_a_time_of_day_that_was_set_makes_no_agent_silent(times: Times, age: float, silent: float) -> None:
    assert silence(times, age) == silent


class Jumping(SystemClock):
    """A machine whose time of day is set by hours, forward or back, at every look."""

    def __init__(self, hours: float) -> None:
        self.hours = hours
        self.looks = 0

    def now(self) -> datetime:
        """See `Clock.now`."""
        self.looks += 1
        return super().now() + timedelta(hours=self.hours * self.looks)


@pytest.mark.parametrize("hours", [-5.0, 5.0])
def test_setting_the_time_of_day_ends_no_agent_and_no_run_before_its_start(
    hours: float, fake: FakeHost, orphanage: Orphanage
) -> None:
    clock = Jumping(hours)
    fake_host, fake.host = fake.host, lambda: replace(fake_host(), clock=clock)  # type: ignore[method-assign]
    policy = orphanage.policy('[limits]\nwall_clock = "4s"\nidle = "3s"')
    whole = run_task(fake.task(lines("one"), policy=policy), fake.host())
    paths = orphanage.orphan(lines("one", "two"), policy=policy)
    taken_up = orphanage.take_up(paths)

    for result in (whole, taken_up):
        assert result.outcome is Outcome.COMPLETED
        assert result.started_at <= result.ended_at
    assert clock.looks > 4


def test_a_deadline_is_held_whatever_the_time_of_day_is(fake: FakeHost, orphanage: Orphanage) -> None:
    fake_host = fake.host
    policy = orphanage.policy('[limits]\nwall_clock = "1s"\ngrace = "1s"')
    host = replace(fake_host(), clock=Jumping(-5.0))
    begin = time.monotonic()
    assert run_task(fake.task(forever, policy=policy), host).outcome is Outcome.TIMED_OUT
    assert time.monotonic() - begin < 10


def test_an_agent_that_is_asked_to_end_may_do_so_in_its_own_way(fake: FakeHost, orphanage: Orphanage) -> None:
    def says_goodbye(box: FakeBox) -> int:
        box.ignored = {"SIGTERM"}
        box.write(b"ready\n")
        while "SIGTERM" not in box.received:
            box.sleep(0.02)
        box.write(b"bye\n")
        return commits(box)

    paths = orphanage.orphan(says_goodbye)
    result = orphanage.take_up(paths, stop=True)

    assert (result.outcome, result.agent_exit_code) == (Outcome.CANCELLED, 0)
    assert [commit.subject for commit in result.commits] == ["add new.txt"]
    assert paths.agent_log.read_text() == "ready\nbye\n"


def test_ctrl_c_ends_an_agent_that_was_taken_up(fake: FakeHost, orphanage: Orphanage) -> None:
    paths = orphanage.orphan(forever)
    host = fake.host()
    host.cancellation.request()
    assert orphanage.take_up(paths, host).outcome is Outcome.CANCELLED


def test_a_secret_that_was_printed_while_nobody_watched_is_masked(orphanage: Orphanage) -> None:
    def tells(box: FakeBox) -> int:
        box.write(b"ready\n")
        box.sleep(0.3)
        box.write(f"it is {box.environment['MY_TOKEN']}\n".encode())
        return 0

    paths = orphanage.orphan(tells, environment={"MY_TOKEN": SECRET})
    time.sleep(0.6)
    orphanage.take_up(paths)

    assert paths.agent_log.read_text() == "ready\nit is [secret]\n"
    assert not [
        path for path in paths.directory.rglob("*") if path.is_file() and SECRET in path.read_text(errors="replace")
    ]


def test_what_the_engine_has_not_kept_stays_in_the_log(orphanage: Orphanage) -> None:
    long = "x" * 200

    def talks(box: FakeBox) -> int:
        box.write(f"{long}\nready\n".encode())
        box.sleep(0.3)
        box._kept._pieces.clear()  # what an engine does whose log is full
        box.write(b"rest\n")
        return 0

    paths = orphanage.orphan(talks)
    time.sleep(0.6)
    orphanage.take_up(paths)

    assert paths.agent_log.read_bytes() == f"{long}\nready\n".encode() + GAP + b"rest\n"


def test_a_paddock_that_dies_while_it_takes_a_run_up_is_followed_by_a_third(
    orphanage: Orphanage, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = orphanage.orphan(lines("one", "two", "three", pause=0.4))

    def dies(watched: object, output: object) -> None:
        watched.log.write(1, next(output).data)  # type: ignore[attr-defined,call-overload]
        raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(take_up_module, "supervise", dies)
        with pytest.raises(PowerCutError):
            orphanage.take_up(paths)
    orphanage.abandoned()
    result = orphanage.take_up(paths)

    assert result.outcome is Outcome.COMPLETED
    assert paths.agent_log.read_text() == "ready\none\ntwo\nthree\n"


def test_an_agent_that_was_never_told_to_go_has_not_worked(fake: FakeHost, orphanage: Orphanage) -> None:
    def dies(_: object) -> None:
        raise PowerCutError

    orphanage.monkeypatch.setattr(at_work, "note_beginning", dies)
    orphanage.monkeypatch.setattr("runner.run.start.close_quietly", lambda _: None)
    with pytest.raises(PowerCutError):
        run_task(fake.task(lines()), fake.host())
    paths = orphanage.abandoned()
    result = orphanage.take_up(paths)

    assert (result.outcome, result.branch, result.leaks) == (Outcome.CANCELLED, "", ())
    assert fake.branches() == ["main"]
    assert not paths.workspace.exists()


def test_the_check_of_a_run_that_was_taken_up_is_made(fake: FakeHost, orphanage: Orphanage) -> None:
    paths = orphanage.orphan(lines("one"), check="make test")
    fake.engine.programs["sh"] = lambda _: 3
    result = orphanage.take_up(paths)

    assert result.outcome is Outcome.CHECK_FAILED
    assert result.check is not None
    assert result.check.exit_code == 3


def test_what_was_used_of_the_network_before_is_in_the_result(orphanage: Orphanage) -> None:
    paths = orphanage.orphan(lines("one", pause=0.01))
    time.sleep(0.3)
    used = Used(spent=(Spent(model="m", input=5, output=7, requests=2),), uploaded=99)
    write_whole(paths.used, used.model_dump_json())
    supervised = Supervised(exit=Exit(code=0), stopped=None, seconds=1.0, output=9)
    write_whole(paths.ended, Ending(supervised=supervised, at=1).model_dump_json())
    result = orphanage.take_up(paths)

    assert [(row.model, row.tokens, row.requests) for row in result.spent] == [("m", 12, 2)]
    assert result.limits["upload"].peak == 99


def test_an_engine_that_goes_away_meanwhile_leaves_the_run_to_the_next_try(
    fake: FakeHost, orphanage: Orphanage, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = orphanage.orphan(lines("one"))

    def goes_away(**_: str) -> None:
        raise EngineError("the power went out")

    with monkeypatch.context() as patch:
        patch.setattr(fake.engine, "find", goes_away)
        with pytest.raises(EngineError, match="the power went out"):
            orphanage.take_up(paths)
    assert orphanage.take_up(paths).outcome is Outcome.COMPLETED
    assert read_result(paths).branch == f"paddock/{paths.id}"


# --- an agent that tells what it does -----------------------------------------------------------------------------


def tells(box: FakeBox) -> int:
    """Says who it is, then `ready`, works, and answers."""
    say(box, started(), {"type": "assistant", "message": {"content": [{"type": "text", "text": "ready"}]}})
    box.sleep(0.5)
    commit(box, "one.txt")
    say(box, ended("all done"))
    return 0


def test_what_an_agent_tells_of_itself_is_kept_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = ModelHost(tmp_path)
    host.agent = tells
    orphanage = Orphanage(host, monkeypatch)
    paths = orphanage.orphan(tells, task=host.ask())
    time.sleep(0.8)
    result = orphanage.take_up(paths)

    kinds = [json.loads(line)["kind"] for line in paths.activity.read_text().splitlines()]
    assert (result.outcome, result.answer, result.session) == (Outcome.COMPLETED, "all done", SESSION)
    assert kinds == ["session", "said", "answered", "reported"]
    assert paths.transcript.read_text().count("ready") == 1
    assert paths.answer.read_text() == "all done\n"
    assert paths.agent_log.read_text().count("all done") == 1


def test_without_its_key_an_agent_is_ended_and_what_it_told_before_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = ModelHost(tmp_path)

    def works_on(box: FakeBox) -> int:
        commit(box, "one.txt")
        say(box, started())
        return forever(box)

    host.agent = works_on
    orphanage = Orphanage(host, monkeypatch)
    paths = orphanage.orphan(host.agent, task=host.ask())
    host.variables.clear()
    result = orphanage.take_up(paths)

    assert (result.outcome, result.session) == (Outcome.CANCELLED, SESSION)
    assert [commit.subject for commit in result.commits] == ["add one.txt"]
    assert any("could not be opened again" in notice for notice in result.notices)


def test_an_answer_outlives_a_paddock_that_died_while_it_collected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = ModelHost(tmp_path)
    host.agent = tells

    def dies(*_: object) -> None:
        raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(collect, "open_quarantine", dies)
        with pytest.raises(PowerCutError):
            run_task(host.ask(), host.host())
    orphanage = Orphanage(host, monkeypatch)
    result = orphanage.take_up(orphanage.abandoned())

    assert (result.outcome, result.answer, result.session) == (Outcome.COMPLETED, "all done", SESSION)
