"""Work that the sandbox hands over itself: taken when it is whole, and otherwise collected as if nothing had come."""

from __future__ import annotations

import contextlib
import json
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.model.policy import Limits
from runner.model.result import Outcome
from runner.model.spec import Role
from runner.run import hand_over
from runner.run.execute import run_task
from runner.run.watchdog import LEAVE_SECONDS, Watchdog
from runner.sandbox.fake import FakeBox
from tests.unit.run.fake_host import FakeHost, collect_here, git

ENDED: dict[str, Any] = {"ended": 0, "killed_for_memory": 0}
Play = Callable[[FakeBox, socket.socket], None]


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def collectors(fake: FakeHost, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the collector containers that were made."""
    made: list[str] = []
    create = fake.engine.create

    def seen(spec: Any, secrets: Any) -> FakeBox:
        if spec.role is Role.COLLECTOR:
            made.append(spec.name)
        return create(spec, secrets)

    monkeypatch.setattr(fake.engine, "create", seen)
    return made


def works(box: FakeBox) -> int:
    workspace = box.path("/workspace")
    (workspace / "new.txt").write_text("new\n", encoding="utf-8")
    git(workspace, "add", "new.txt")
    git(workspace, "commit", "--quiet", "--message", "add new.txt")
    (workspace / "half.txt").write_text("half\n", encoding="utf-8")
    return 0


def line(control: socket.socket, **words: Any) -> None:
    control.sendall(json.dumps(words).encode() + b"\n")


def asked(control: socket.socket) -> dict[str, Any]:
    """What the host asks for, and the index that comes with it; nothing when it wants nothing."""
    control.settimeout(20)
    with control.makefile("rb") as stream:
        text = stream.readline()
        return {**(told := json.loads(text)), "bytes": stream.read(told["index"])} if text else {}


class HereWith:
    """A box whose folders lie elsewhere."""

    def __init__(self, box: FakeBox, places: dict[str, Path]) -> None:
        self._box, self._places = box, places

    def path(self, inside: str) -> Path:
        return self._places.get(inside) or self._box.path(inside)

    def write(self, data: bytes) -> None:
        assert not data


def collected(box: FakeBox, request: dict[str, Any]) -> dict[str, bytes]:
    """What a collector gives out for that request."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        index = request.pop("bytes")
        (place / "collect.json").write_text(json.dumps(request), encoding="utf-8")
        if index:
            (place / "base.index").write_bytes(index)
        assert collect_here(HereWith(box, {"/paddock/in": place, "/out": place})) == 0  # type: ignore[arg-type]
        names = ("report.json", "changes.bundle")
        return {name: (place / name).read_bytes() for name in names if (place / name).exists()}


def honest(box: FakeBox, control: socket.socket) -> None:
    line(control, **ENDED)
    send(control, collected(box, asked(control)))


def send(control: socket.socket, files: dict[str, bytes], **sizes: Any) -> None:
    told = {name: len(files[name]) if name in files else -1 for name in ("report.json", "changes.bundle")}
    line(control, **{**told, **sizes})
    control.sendall(b"".join(files.values()))


def test_what_is_handed_over_whole_needs_no_collector(fake: FakeHost, collectors: list[str]) -> None:
    fake.engine.hand_over = honest

    result = run_task(fake.task(works), fake.host())

    assert (result.outcome, collectors, result.leaks) == (Outcome.COMPLETED, [], ())
    assert [commit.subject for commit in result.commits] == ["add new.txt", "paddock: uncommitted work"]
    assert git(fake.repository, "show", f"{result.branch}:half.txt") == "half"


def test_nothing_is_handed_over_as_nothing(fake: FakeHost, collectors: list[str]) -> None:
    fake.engine.hand_over = honest

    result = run_task(fake.task(), fake.host())

    assert (result.outcome, collectors) == (Outcome.NO_CHANGES, [])


def test_an_agent_that_fails_hands_over_too(fake: FakeHost, collectors: list[str]) -> None:
    def failed(box: FakeBox, control: socket.socket) -> None:
        line(control, ended=3, killed_for_memory=0)
        send(control, collected(box, asked(control)))

    fake.engine.hand_over = failed

    result = run_task(fake.task(lambda box: works(box) + 3), fake.host())

    assert (result.outcome, result.agent_exit_code, collectors) == (Outcome.AGENT_FAILED, 3, [])
    assert result.uncommitted_collected


def test_what_becomes_of_a_sandbox_after_the_agents_end_is_not_the_agents_doing(
    fake: FakeHost, collectors: list[str]
) -> None:
    def is_killed(box: FakeBox, control: socket.socket) -> None:
        line(control, **ENDED)
        asked(control)
        box.memory_killed = True
        box.signal("SIGKILL")
        box.stand_or_end()

    fake.engine.hand_over = is_killed

    result = run_task(fake.task(works), fake.host())

    assert (result.outcome, result.agent_exit_code, len(collectors)) == (Outcome.COMPLETED, 0, 1)
    assert not result.limits["memory"].hit


def test_a_collector_that_is_killed_before_it_is_ready_is_followed_by_another(
    fake: FakeHost, collectors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.engine.hand_over = says_nothing
    start = FakeBox.start

    def killed_at_once(box: FakeBox) -> bool:
        begun = start(box)
        if box.spec.role is Role.COLLECTOR and len(collectors) == 1:
            box.signal("SIGKILL")
        return begun

    monkeypatch.setattr(FakeBox, "start", killed_at_once)

    result = run_task(fake.task(works), fake.host())

    assert (result.outcome, len(collectors), result.leaks) == (Outcome.COMPLETED, 2, ())


def test_artifacts_are_for_a_collector(fake: FakeHost, collectors: list[str]) -> None:
    fake.engine.hand_over = honest

    result = run_task(fake.task(works, artifacts=("new.txt",)), fake.host())

    assert (result.outcome, len(collectors)) == (Outcome.COMPLETED, 1)
    assert [artifact.name for artifact in result.artifacts] == ["new.txt"]


# ---- what is not whole


def says_nothing(box: FakeBox, control: socket.socket) -> None:
    control.close()


def says_nonsense(box: FakeBox, control: socket.socket) -> None:
    control.sendall(b"\xff\xfe]]}\n" * 5)


def says_a_list(box: FakeBox, control: socket.socket) -> None:
    control.sendall(b"[1, 2]\n")


def never_ends_its_line(box: FakeBox, control: socket.socket) -> None:
    with contextlib.suppress(OSError):
        control.sendall(b"x" * 10_000_000)


def had_somebody_killed(box: FakeBox, control: socket.socket) -> None:
    line(control, **{**ENDED, "killed_for_memory": 1})
    assert asked(control) == {}


def does_not_know_of_kills(box: FakeBox, control: socket.socket) -> None:
    line(control, **{**ENDED, "killed_for_memory": None})
    assert asked(control) == {}


def tells_no_code(box: FakeBox, control: socket.socket) -> None:
    line(control, ended=300, killed_for_memory=0)
    assert asked(control) == {}


def nests_without_end(box: FakeBox, control: socket.socket) -> None:
    control.sendall(b"[" * 4000 + b"\n")


def gives_up(box: FakeBox, control: socket.socket) -> None:
    line(control, **ENDED)
    asked(control)


def promises_more(box: FakeBox, control: socket.socket) -> None:
    line(control, **ENDED)
    files = collected(box, asked(control))
    send(control, files, **{"changes.bundle": len(files["changes.bundle"]) + 1})


def promises_the_world(box: FakeBox, control: socket.socket) -> None:
    line(control, **ENDED)
    with contextlib.suppress(OSError):
        send(control, collected(box, asked(control)), **{"changes.bundle": 2**60})


def promises_less_than_nothing(box: FakeBox, control: socket.socket) -> None:
    line(control, **ENDED)
    with contextlib.suppress(OSError):
        send(control, collected(box, asked(control)), **{"report.json": -2})


def counts_in_halves(box: FakeBox, control: socket.socket) -> None:
    line(control, **ENDED)
    with contextlib.suppress(OSError):
        send(control, collected(box, asked(control)), **{"report.json": 1.5})


def has_no_report(box: FakeBox, control: socket.socket) -> None:
    line(control, **ENDED)
    send(control, {"changes.bundle": collected(box, asked(control))["changes.bundle"]})


def keeps_the_bundle(box: FakeBox, control: socket.socket) -> None:
    line(control, **ENDED)
    send(control, {"report.json": collected(box, asked(control))["report.json"]})


def spoils_the_bundle(box: FakeBox, control: socket.socket) -> None:
    line(control, **ENDED)
    files = collected(box, asked(control))
    spoilt = bytearray(files["changes.bundle"])
    spoilt[-30] ^= 0xFF
    send(control, {**files, "changes.bundle": bytes(spoilt)})


def has_a_problem(box: FakeBox, control: socket.socket) -> None:
    line(control, **ENDED)
    files = collected(box, asked(control))
    report = {**json.loads(files["report.json"]), "problems": [{"code": "leftovers-failed", "text": "no memory"}]}
    send(control, {**files, "report.json": json.dumps(report).encode()})


def names_another_commit(box: FakeBox, control: socket.socket) -> None:
    line(control, **ENDED)
    files = collected(box, asked(control))
    report = json.loads(files["report.json"])
    report["branches"][0]["sha"] = "1" * 40
    send(control, {**files, "report.json": json.dumps(report).encode()})


@pytest.mark.parametrize(
    "play",
    [
        says_nothing,
        says_nonsense,
        says_a_list,
        never_ends_its_line,
        had_somebody_killed,
        does_not_know_of_kills,
        tells_no_code,
        nests_without_end,
        gives_up,
        promises_more,
        promises_the_world,
        promises_less_than_nothing,
        counts_in_halves,
        has_no_report,
        keeps_the_bundle,
        spoils_the_bundle,
        has_a_problem,
        names_another_commit,
    ],
)
def test_what_is_not_whole_is_collected_as_if_nothing_had_come(
    fake: FakeHost, collectors: list[str], play: Play
) -> None:
    fake.engine.hand_over = play

    result = run_task(fake.task(works), fake.host())

    assert (result.outcome, len(collectors), result.leaks) == (Outcome.COMPLETED, 1, ())
    assert [commit.subject for commit in result.commits] == ["add new.txt", "paddock: uncommitted work"]
    assert git(fake.repository, "rev-parse", result.branch) == result.head


def test_a_hand_over_that_takes_too_long_is_ended(
    fake: FakeHost, collectors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand_over, "SECONDS", 0.3)
    monkeypatch.setattr(hand_over, "SLACK", 0.2)

    def dribbles(box: FakeBox, control: socket.socket) -> None:
        line(control, **ENDED)
        asked(control)
        line(control, **{"report.json": 1000, "changes.bundle": -1})
        with contextlib.suppress(OSError):
            while True:
                control.sendall(b"x")
                time.sleep(0.05)

    fake.engine.hand_over = dribbles

    result = run_task(fake.task(works), fake.host())

    assert (result.outcome, len(collectors)) == (Outcome.COMPLETED, 1)


def test_the_agents_time_ends_with_the_agent(fake: FakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "short.toml"
    policy.write_text('extends = "offline"\n[limits]\nwall_clock = "2s"\nidle = "1s"\ngrace = "1s"\n', encoding="utf-8")

    def late(box: FakeBox, control: socket.socket) -> None:
        line(control, **ENDED)
        request = asked(control)
        time.sleep(3)
        send(control, collected(box, request))

    fake.engine.hand_over = late

    result = run_task(fake.task(works, policy=str(policy)), fake.host())

    assert result.outcome is Outcome.COMPLETED
    assert (result.limits["wall_clock"].peak or 0) < 2


def test_a_sandbox_that_stays_for_ever_is_ended_by_its_limits() -> None:
    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    watchdog = Watchdog.__new__(Watchdog)
    watchdog.clock = clock = Clock()  # type: ignore[assignment]
    watchdog.watched = type("W", (), {"ended": staticmethod(lambda: 10.0), "limits": Limits()})()
    clock.now = 10 + LEAVE_SECONDS
    assert watchdog.moment == 10.0
    clock.now += 1
    assert watchdog.moment == clock.now


def test_the_same_work_is_the_same_commit_whoever_collects_it(fake: FakeHost) -> None:
    heads = []

    def note(box: FakeBox, control: socket.socket) -> None:
        line(control, **ENDED)
        request = asked(control)
        heads.append(request["commit_date"])
        files = collected(box, request)
        heads.append(json.loads(files["report.json"])["branches"][0]["sha"])
        send(control, {**files, "changes.bundle": b""})

    fake.engine.hand_over = note

    result = run_task(fake.task(works), fake.host())

    assert (result.outcome, result.head) == (Outcome.COMPLETED, heads[1])
