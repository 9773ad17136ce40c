"""Run directories are private, unique, and hold what a run leaves."""

from __future__ import annotations

import itertools
import json
from datetime import date
from pathlib import Path

import pytest

from runner.errors import StoreError
from runner.model.events import Notice, Phase, PhaseStarted
from runner.model.result import Digests, Outcome, RunResult
from runner.store.runs import EventLog, RunPaths, create_run, read_result, run_paths, write_result

TODAY = date(2026, 11, 20)


def result(run_id: str) -> RunResult:
    return RunResult(
        id=run_id,
        outcome=Outcome.COMPLETED,
        exit_code=0,
        repo="/r",
        digests=Digests(policy="sha256:0"),
        started_at="2026-11-20T10:00:00Z",
        ended_at="2026-11-20T10:00:01Z",
    )


def test_a_new_run_has_a_private_directory_named_after_it(tmp_path: Path) -> None:
    paths = create_run(tmp_path / "state", "fix it", TODAY, lambda _: 0)
    assert paths.id == "2026-11-20-fix-it-0000"
    assert paths == run_paths(tmp_path / "state", paths.id)
    assert paths.directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "state").rglob("*")} == {0o700}
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_an_id_that_is_taken_is_not_given_twice(tmp_path: Path) -> None:
    numbers = itertools.chain([0] * 8, itertools.repeat(1))
    first = create_run(tmp_path, "x", TODAY, lambda _: next(numbers))
    second = create_run(tmp_path, "x", TODAY, lambda _: next(numbers))
    assert (first.id, second.id) == ("2026-11-20-x-0000", "2026-11-20-x-1111")


def test_no_free_id_is_an_error_and_not_an_endless_search(tmp_path: Path) -> None:
    create_run(tmp_path, "x", TODAY, lambda _: 0)
    with pytest.raises(StoreError, match="no free run id"):
        create_run(tmp_path, "x", TODAY, lambda _: 0)


def test_a_state_directory_that_cannot_be_made_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught:
        create_run(tmp_path / "file", "x", TODAY)
    assert "PADDOCK_STATE_DIR" in caught.value.hint


def test_all_names_of_a_run_differ_and_stand_in_its_directory(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "id")
    names = [name for name, value in vars(RunPaths).items() if isinstance(value, property) and name != "id"]
    found = {getattr(paths, name) for name in names}
    assert len(found) == len(names)
    assert all(path.is_relative_to(paths.directory) for path in found)


def test_events_are_json_lines_in_their_order(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.jsonl")
    log.write(PhaseStarted(phase=Phase.WORKSPACE))
    log.write(Notice(text="line\nbreak"))
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["kind"] for line in lines] == ["phase-started", "notice"]


def test_a_result_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    write_result(paths, result(paths.id))
    assert read_result(paths) == result(paths.id)


@pytest.mark.parametrize("content", ["", "{}", '{"version": 99}', "[" * 10_000])
def test_a_result_that_cannot_be_read_is_an_error_of_the_store(tmp_path: Path, content: str) -> None:
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(StoreError, match="not a result that this version reads"):
        read_result(RunPaths(tmp_path))


def test_a_run_without_a_result_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"result\.json cannot be read: No such file"):
        read_result(RunPaths(tmp_path))
