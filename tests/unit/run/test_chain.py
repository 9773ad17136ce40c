"""The runs of one piece of work name each other: whoever waits for the first waits for the last."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from runner.run.chain import Chain, await_follower, chain_from, follower
from runner.run.execute import run_task
from runner.run.rounds import run_rounds
from runner.sandbox.fake import FakeBox
from runner.store.runs import RunPaths, run_paths
from tests.unit.run.model_agent import ModelHost
from tests.unit.run.test_rounds import failing, loop, working


@pytest.fixture
def runs(tmp_path: Path) -> list[RunPaths]:
    """Three directories of runs."""
    made = [run_paths(tmp_path, f"run-{number}") for number in range(3)]
    for paths in made:
        paths.directory.mkdir(parents=True)
    return made


def dead() -> bool:
    return False


def alive() -> bool:
    return True


def test_each_run_names_the_next_and_the_last_names_none(runs: list[RunPaths]) -> None:
    chain = Chain()
    for paths in runs:
        chain.opened(paths)
        assert follower(paths) == "", "whether it is followed is open"
    assert list(chain_from(runs[0])) == runs
    chain.close()
    assert [follower(paths) for paths in runs] == ["run-1", "run-2", None]
    assert await_follower(runs[0], alive) == runs[1]
    assert await_follower(runs[2], alive) is None
    assert list(chain_from(runs[1])) == runs[1:]


def test_nobody_waits_for_a_run_that_a_dead_paddock_would_have_begun(runs: list[RunPaths]) -> None:
    Chain().opened(runs[0])
    assert await_follower(runs[0], dead) is None
    with pytest.raises(TimeoutError):
        await_follower(runs[0], alive, until=time.monotonic())


def test_a_chain_that_cannot_be_written_stops_no_run(runs: list[RunPaths]) -> None:
    runs[0].directory.rmdir()
    chain = Chain()
    chain.opened(runs[0])
    chain.opened(runs[1])
    chain.close()
    assert list(chain_from(runs[0])) == []
    assert list(chain_from(runs[1])) == [runs[1]]


def test_a_chain_that_bites_its_tail_ends(runs: list[RunPaths]) -> None:
    chain = Chain()
    for paths in runs[:2]:
        chain.opened(paths)
    runs[1].following.write_text("run-0")
    assert list(chain_from(runs[0])) == runs[:2]


def test_rounds_are_a_chain_and_are_known_before_anybody_hears_of_them(tmp_path: Path) -> None:
    fake = ModelHost(tmp_path)
    working(fake)
    failing(fake, 2)
    seen: list[tuple[str, str | None]] = []
    host = replace(fake.host(), opened=lambda paths: seen.append((paths.id, follower(paths))))
    result = run_rounds(fake.ask("add files", check="make test"), loop(max_rounds=5), host)

    ids = [each.id for each in result.rounds]
    assert seen == [(run, "") for run in ids]
    first = run_paths(fake.state, ids[0])
    assert [paths.id for paths in chain_from(first)] == ids
    assert follower(run_paths(fake.state, ids[-1])) is None


def test_a_run_by_itself_is_followed_by_none(tmp_path: Path) -> None:
    fake = ModelHost(tmp_path)

    def agent(box: FakeBox) -> int:
        (paths,) = (run_paths(fake.state, entry.name) for entry in (fake.state / "runs").iterdir())
        return 7 if follower(paths) is None else 0

    assert run_task(fake.task(agent), fake.host()).agent_exit_code == 7
