"""When the watchdog walks, and when the agent has to stand still for it: on a clock and a disk of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner.errors import EngineError, StoreError
from runner.model.policy import Limits
from runner.run import disk_watch
from runner.run.disk_watch import DiskWatch, Room
from runner.store.tree import TreeSize

MIB = 2**20
STEPS = 1000


class Stage:
    """A clock, a disk, a box and an agent that writes at a steady speed unless it stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        self.written = 0
        self.files = 0
        self.speed = 0
        """Bytes a second, which the agent writes."""
        self.others = 0
        """Bytes that others took from the disk."""
        self.walk = 0.01
        self.counts_first = False
        """Whether the files that are written are the first that a walk comes to."""
        self.paused = False
        self.pauses = 0
        self.stood_still = 0.0
        self.walks: list[float] = []
        self.fails = False

    def monotonic(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        self.stood_still += seconds * self.paused
        if not self.paused:
            self.written += int(self.speed * seconds)

    def room(self) -> Room:
        return Room(1000 * 1024 * MIB - self.written - self.others, 10**9 - self.files)

    def measure(self, meanwhile: Callable[[], None]) -> TreeSize:
        self.walks.append(self.now)
        first = self.written
        for _ in range(STEPS):
            self.pass_by(self.walk / STEPS)
            meanwhile()
        if self.fails:
            raise StoreError("it cannot be read")
        return TreeSize(bytes=first if self.counts_first else self.written, entries=self.files)

    def pause(self) -> None:
        if self.paused:
            raise EngineError("it is paused")
        self.paused = True
        self.pauses += 1

    def unpause(self) -> None:
        self.paused = False

    def watch_until(self, watch: DiskWatch, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end and not watch.over:
            self.pass_by(watch.pace)
            watch.tick()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    stage = Stage()
    monkeypatch.setattr(Room, "on", lambda _: stage.room())
    return stage


def watch_of(stage: Stage, disk: str = "1GiB", files: int = 100_000) -> DiskWatch:
    limits = Limits.model_validate({"disk": disk, "files": files})
    return DiskWatch(stage, limits, stage, stage.measure, (Path("/"),))  # type: ignore[arg-type]


def test_an_idle_agent_costs_one_walk_a_second_at_most(stage: Stage) -> None:
    stage.watch_until(watch_of(stage), 10)
    assert 9 <= len(stage.walks) <= 11
    assert stage.pauses == 0


def test_a_long_walk_takes_a_fifth_of_the_time(stage: Stage) -> None:
    stage.walk = 2.0
    stage.watch_until(watch_of(stage), 60)
    assert 5 <= len(stage.walks) <= 7


@pytest.mark.parametrize("walk", [0.01, 0.09, 1.0, 10.0])
@pytest.mark.parametrize("speed", [100 * MIB, 500 * MIB, 3 * 1024 * MIB])
def test_a_writer_at_full_speed_is_found_before_it_has_a_quarter_of_a_gigabyte_too_much(
    stage: Stage, walk: float, speed: int
) -> None:
    stage.walk, stage.speed = walk, speed
    watch = watch_of(stage, "10GiB")
    stage.watch_until(watch, 600)
    assert watch.over
    assert stage.written - 10 * 1024 * MIB < 256 * MIB


@pytest.mark.parametrize("walk", [0.09, 0.2, 1.0, 3.0])
def test_what_is_written_after_it_was_counted_is_found_before_the_agent_goes_on(stage: Stage, walk: float) -> None:
    stage.walk, stage.speed, stage.counts_first = walk, 6 * 1024 * MIB, True
    watch = watch_of(stage, "10GiB")
    stage.watch_until(watch, 600)
    assert watch.over
    assert stage.written - 10 * 1024 * MIB < 256 * MIB


def test_an_agent_that_has_too_much_stands_still_until_it_is_killed(stage: Stage) -> None:
    stage.walk, stage.speed = 1.0, 1024 * MIB
    watch = watch_of(stage)
    stage.watch_until(watch, 60)
    assert (watch.over, stage.paused) == (True, True)
    watch.go_on()
    assert not stage.paused


def test_what_others_write_makes_an_agent_stand_still_for_less_than_half_of_its_time_and_never_ends_it(
    stage: Stage,
) -> None:
    stage.walk, stage.others = 1.0, 0
    watch = watch_of(stage)
    while stage.now < 120:
        stage.others += 20 * MIB
        stage.pass_by(disk_watch.LOOK_EVERY)
        watch.tick()
    assert not watch.over
    assert not stage.paused
    assert 0 < stage.stood_still < stage.now / 2


def test_short_walks_never_make_an_agent_stand_still(stage: Stage) -> None:
    stage.speed = 500 * MIB
    watch = watch_of(stage)
    stage.watch_until(watch, 60)
    assert watch.over
    assert stage.pauses == 0


def test_a_writer_whom_others_hide_by_freeing_space_is_found_by_its_speed(stage: Stage) -> None:
    stage.speed = 500 * MIB
    watch = watch_of(stage, "4GiB")
    while not watch.over and stage.now < 60:
        stage.others = -stage.written
        stage.pass_by(disk_watch.LOOK_EVERY)
        watch.tick()
    assert stage.written < 4.6 * 1024 * MIB


def test_files_are_seen_to_become_too_many_without_a_walk(stage: Stage) -> None:
    watch = watch_of(stage, files=10_000)
    watch.tick()
    stage.files = 10_500
    stage.pass_by(disk_watch.LOOK_EVERY)
    watch.tick()
    assert watch.over


def test_looks_that_fail_again_and_again_are_told_and_let_the_agent_go_on(stage: Stage) -> None:
    watch = watch_of(stage)
    stage.fails = True
    stage.watch_until(watch, 10)
    assert watch.blind
    assert not stage.paused


def test_a_full_disk_is_seen_at_the_next_tick(stage: Stage) -> None:
    watch = watch_of(stage)
    watch.tick()
    assert not watch.full
    stage.others = 1000 * 1024 * MIB - 100 * MIB
    watch.tick()
    assert watch.full


def test_the_room_of_a_file_system_is_what_the_kernel_says(tmp_path: Path) -> None:
    room = Room.on(tmp_path)
    assert room.bytes > 0
