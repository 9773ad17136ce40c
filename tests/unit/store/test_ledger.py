"""The ledger finds runs, survives company, and stays quick."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from runner.errors import RefusedError, RunNotFoundError, StoreError
from runner.store.ledger import Ledger, RunRow
from runner.store.schema import RUNS


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "state" / "ledger.db") as opened:
        yield opened


def row(run_id: str, *, name: str = "", created_at: str = "2026-11-20T10:00:00Z") -> RunRow:
    return RunRow(
        id=run_id,
        name=name,
        repo="/home/user/repo",
        agent="command",
        policy="offline",
        created_at=created_at,
        owner_pid=1,
        owner_started=2,
    )


def test_a_run_goes_from_running_to_ended(ledger: Ledger) -> None:
    ledger.add(row("a"))
    ledger.set_phase("a", "agent")
    assert ledger.get("a") == row("a")._replace(phase="agent", state="running")
    ledger.end("a", outcome="completed", exit_code=0, ended_at="2026-11-20T11:00:00Z", branch="paddock/a", commits=3)
    assert ledger.get("a") == row("a")._replace(
        phase="agent",
        state="ended",
        outcome="completed",
        exit_code=0,
        ended_at="2026-11-20T11:00:00Z",
        branch="paddock/a",
        commits=3,
    )
    ledger.remove("a")
    assert ledger.get("a") is None


def test_the_list_is_newest_first_and_may_be_cut_or_limited_to_what_runs(ledger: Ledger) -> None:
    for number in range(5):
        ledger.add(row(f"r{number}", created_at=f"2026-11-20T10:00:0{number}Z"))
    ledger.end("r4", outcome="completed", exit_code=0, ended_at="")
    assert [found.id for found in ledger.list()] == ["r4", "r3", "r2", "r1", "r0"]
    assert [found.id for found in ledger.list(limit=2)] == ["r4", "r3"]
    assert [found.id for found in ledger.list(limit=2, running_only=True)] == ["r3", "r2"]


def test_an_id_is_found_by_itself_by_name_by_last_and_by_a_unique_prefix(ledger: Ledger) -> None:
    ledger.add(row("2026-a", name="fix", created_at="1"))
    ledger.end("2026-a", outcome="completed", exit_code=0, ended_at="")
    ledger.add(row("2026-ab", name="fix", created_at="2"))
    ledger.add(row("2026-b%", created_at="0"))
    assert ledger.find("2026-a") == "2026-a"
    assert ledger.find("fix") == "2026-ab"
    assert ledger.find("last") == "2026-ab"
    assert ledger.find("2026-b") == "2026-b%"


def test_a_run_called_last_wins_over_the_word(ledger: Ledger) -> None:
    ledger.add(row("old", name="last", created_at="1"))
    ledger.add(row("new", created_at="2"))
    assert ledger.find("last") == "old"


def test_an_ambiguous_prefix_lists_the_candidates(ledger: Ledger) -> None:
    for number in range(12):
        ledger.add(row(f"2026-{number:02}"))
    with pytest.raises(RunNotFoundError, match=r"more than one run: 2026-11, .*, and 2 more"):
        ledger.find("2026")


@pytest.mark.parametrize("prefix", ["", "%", "2026_", "zzz", "\x1b[2J", "' OR 1=1 --"])
def test_what_is_not_there_is_not_found_and_the_latest_are_named(ledger: Ledger, prefix: str) -> None:
    ledger.add(row("2026-a"))
    with pytest.raises(RunNotFoundError) as caught:
        ledger.find(prefix)
    assert "2026-a" in caught.value.hint
    assert "\x1b" not in caught.value.message


def test_last_of_no_runs_says_that_there_are_none(ledger: Ledger) -> None:
    with pytest.raises(RunNotFoundError) as caught:
        ledger.find("last")
    assert caught.value.hint == "there are no runs yet"


def test_a_name_in_use_is_one_of_a_run_under_way(ledger: Ledger) -> None:
    ledger.add(row("a", name="fix"))
    found = ledger.running_with_name("fix")
    assert found is not None
    assert found.id == "a"
    ledger.end("a", outcome="cancelled", exit_code=130, ended_at="")
    assert ledger.running_with_name("fix") is None


def test_of_two_runs_that_take_a_name_at_the_same_time_one_is_refused(ledger: Ledger) -> None:
    ledger.add(row("a", name="fix"))
    with pytest.raises(RefusedError, match="The name 'fix' is in use by a, which is still running"):
        ledger.add(row("b", name="fix"))
    ledger.end("a", outcome="completed", exit_code=0, ended_at="")
    ledger.add(row("b", name="fix"))
    assert [found.id for found in ledger.list(running_only=True)] == ["b"]


def test_runs_without_a_name_are_not_in_each_others_way(ledger: Ledger) -> None:
    ledger.add(row("a"))
    ledger.add(row("b"))
    ledger.refuse_name_in_use("")


def test_the_same_id_twice_is_an_error(ledger: Ledger) -> None:
    ledger.add(row("a"))
    with pytest.raises(StoreError, match="UNIQUE"):
        ledger.add(row("a"))


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="newer Paddock"), Ledger(path):
        pass
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("no database" * 1000)
    with pytest.raises(StoreError, match="not a database"), Ledger(tmp_path / "ledger.db"):
        pass


def test_the_file_is_private_and_plain_for_other_readers(ledger: Ledger, tmp_path: Path) -> None:
    ledger.add(row("a"))
    path = tmp_path / "state" / "ledger.db"
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        assert reader.execute("SELECT id, state FROM runs").fetchall() == [("a", "running")]
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        reader.close()


def enter_many(path: str, worker: int) -> int:
    for number in range(20):
        with Ledger(Path(path)) as ledger:
            ledger.add(row(f"{worker}-{number}"))
            ledger.set_phase(f"{worker}-{number}", "agent")
    return worker


def test_several_processes_enter_runs_at_once_and_none_is_lost(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        list(pool.map(enter_many, [str(tmp_path / "ledger.db")] * 4, range(4)))
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert len(ledger.list()) == 80


def open_once(path: str) -> None:
    with Ledger(Path(path)):
        pass


def test_several_processes_that_make_the_ledger_at_once_all_get_it(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("fork")) as pool:
        for number in range(100):
            list(pool.map(open_once, [str(tmp_path / f"{number}.db")] * 4))


def test_a_ledger_of_the_first_schema_is_taken_on_with_its_runs(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    connection = sqlite3.connect(path)
    connection.executescript(RUNS + "PRAGMA user_version = 1;")
    columns = [name for name in RunRow._fields if name != "batch"]
    places = ",".join("?" * len(columns))
    old = [getattr(row("old"), name) for name in columns]
    connection.execute(f"INSERT INTO runs ({','.join(columns)}) VALUES ({places})", old)  # noqa: S608
    connection.commit()
    connection.close()
    with Ledger(path) as ledger:
        ledger.add(row("new")._replace(batch="b/1/1/1"))
        assert ledger.get("old") == row("old")
        assert [each.id for each in ledger.of_batch("b/1/1/1")] == ["new"]
        assert ledger.of_batch("") == []


def test_ten_thousand_runs_are_listed_quickly(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path):
        pass
    connection = sqlite3.connect(path)
    rows = [row(f"2026-{number:05}", created_at=f"{number:05}") for number in range(10_000)]
    places = ",".join("?" * len(RunRow._fields))
    connection.executemany(f"INSERT INTO runs ({','.join(RunRow._fields)}) VALUES ({places})", rows)  # noqa: S608
    connection.commit()
    connection.close()
    took = []
    for _ in range(5):  # the quickest counts: other tests keep the machine busy
        began = time.perf_counter()
        with Ledger(path) as ledger:
            assert ledger.list(limit=1)[0].id == "2026-09999"
            assert len(ledger.list()) == 10_000
        took.append(time.perf_counter() - began)
    assert min(took) < 0.2  # about 0.03 s on an idle machine


def test_the_ledger_and_the_paths_load_without_pydantic() -> None:
    code = "import sys, runner.store.ledger, runner.store.owner, runner.store.runs; print('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_of_several_who_take_a_run_over_one_succeeds(ledger: Ledger) -> None:
    ledger.add(row("a"))
    before = ledger.get("a")
    assert before is not None
    assert [ledger.take_over("a", before, pid, 7) for pid in (10, 11)] == [True, False]
    assert ledger.get("a") == before._replace(owner_pid=10, owner_started=7)


def test_a_run_that_is_over_is_under_way_again_when_taken_over(ledger: Ledger) -> None:
    ledger.add(row("a", name="fix"))
    ledger.end("a", outcome="engine-failed", exit_code=40, ended_at="")
    ledger.add(row("b", name="fix"))
    before = ledger.get("a")
    assert before is not None
    assert ledger.take_over("a", before, 10, 7)
    assert ledger.get("a") == before._replace(owner_pid=10, owner_started=7, state="running", name="")
    assert not ledger.take_over("a", before, before.owner_pid, 7), "it is under way by now"
