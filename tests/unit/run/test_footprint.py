"""What counts as written by a run: its own folders whole, what outlives it by its growth, and files without a name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.errors import EngineError
from runner.model.policy import Limits
from runner.model.result import Outcome
from runner.model.spec import Mount
from runner.run.execute import run_task
from runner.run.footprint import Footprint, Lent, lent_places, recall_lent, remember_lent
from runner.sandbox.fake import FakeBox, FakeEngine
from runner.store.runs import RunPaths
from runner.store.tree import TreeSize, measure_tree
from tests.unit.run.fake_host import FakeHost
from tests.unit.sandbox.specs import spec_for

MIB = 2**20


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    place = tmp_path / "workspace"
    place.mkdir()
    (place / "file").write_bytes(bytes(MIB))
    return place


@pytest.fixture
def box() -> FakeBox:
    return FakeEngine({}).create(spec_for(argv=("program",)), {})


def footprint(workspace: Path, box: FakeBox, *lent: Lent, more: tuple[Path, ...] = (), root: bool = False) -> Footprint:
    return Footprint(own=(workspace, *more), lent=lent, limits=Limits(), box=box, writable_root=root)


def measured(place: Footprint) -> TreeSize:
    return place.measure(lambda: None)


def test_all_folders_of_the_run_count_and_missing_ones_do_not(workspace: Path, box: FakeBox, tmp_path: Path) -> None:
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent/notes").write_bytes(bytes(2 * MIB))
    size = measured(footprint(workspace, box, more=(tmp_path / "agent", tmp_path / "missing")))
    assert (size.bytes // MIB, size.entries) == (3, 2)


def test_what_outlives_the_run_counts_by_its_growth_alone(workspace: Path, box: FakeBox, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "old").write_bytes(bytes(5 * MIB))
    place = footprint(workspace, box, Lent(place=cache, before=measure_tree(cache)))
    assert measured(place).bytes // MIB == 1
    (cache / "new").write_bytes(bytes(2 * MIB))
    size = measured(place)
    assert (size.bytes // MIB, size.entries) == (3, 2)
    (cache / "old").unlink()
    assert measured(place).bytes // MIB == 1, "what it removed elsewhere pays for nothing"


def test_a_single_file_that_may_be_written_counts_too(workspace: Path, box: FakeBox, tmp_path: Path) -> None:
    file = tmp_path / "database"
    file.write_bytes(bytes(4096))
    place = footprint(workspace, box, Lent(place=file, before=TreeSize(bytes=4096, entries=1)))
    file.write_bytes(bytes(3 * MIB))
    assert measured(place).bytes // MIB == 4


def test_folders_of_the_users_are_measured_and_left_as_they_are(workspace: Path, box: FakeBox, tmp_path: Path) -> None:
    closed = tmp_path / "mount/closed"
    closed.mkdir(parents=True)
    closed.chmod(0o000)
    before = closed.stat().st_ctime_ns
    measured(footprint(workspace, box, Lent(place=tmp_path / "mount", before=TreeSize(bytes=0, entries=0))))
    assert closed.stat().st_ctime_ns == before


def test_files_without_a_name_count(workspace: Path, box: FakeBox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeBox, "processes", lambda _: [os.getpid()])
    place = footprint(workspace, box)
    before = measured(place)
    with (workspace / "hidden").open("wb") as file:
        file.write(bytes(4 * MIB))
        file.flush()
        (workspace / "hidden").unlink()
        after = measured(place)
    assert ((after.bytes - before.bytes) // MIB, after.entries - before.entries) == (4, 1)


def test_an_engine_that_is_away_does_not_end_the_measuring(
    workspace: Path, box: FakeBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: FakeBox) -> list[int]:
        raise EngineError("no engine answers")

    monkeypatch.setattr(FakeBox, "processes", away)
    assert measured(footprint(workspace, box)).bytes // MIB == 1


def test_the_writable_layer_counts_where_there_is_one(
    workspace: Path, box: FakeBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeBox, "written", lambda _: 7 * MIB)
    assert measured(footprint(workspace, box)).bytes // MIB == 1
    assert measured(footprint(workspace, box, root=True)).bytes // MIB == 8


def test_there_is_one_folder_for_each_file_system(workspace: Path, box: FakeBox, tmp_path: Path) -> None:
    nothing = TreeSize(bytes=0, entries=0)
    elsewhere, here = Lent(place=Path("/proc"), before=nothing), Lent(place=tmp_path, before=nothing)
    assert footprint(workspace, box, here, elsewhere).folders == (workspace, Path("/proc"))


def test_the_sizes_before_are_those_of_the_beginning_whoever_asks(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path / "run")
    cache, data = tmp_path / "cache", tmp_path / "data"
    for place in (paths.directory, cache, data):
        place.mkdir()
    mounts = (
        Mount(source=str(paths.workspace), target="/workspace", mode="rw"),
        Mount(source=str(cache), target="/cache", mode="rw"),
        Mount(source=str(data), target="/data"),
    )
    spec = spec_for(argv=("x",)).model_copy(update={"mounts": mounts})
    assert lent_places(spec, paths) == [cache]
    remember_lent(spec, paths, Limits())
    (cache / "new").write_bytes(bytes(MIB))
    (lent,) = recall_lent(spec, paths)
    assert (lent.place, lent.before.entries) == (cache, 0)
    paths.lent.unlink()
    (lent,) = recall_lent(spec, paths)
    assert lent.before.entries == 1


CACHE = '[[caches]]\nname = "uv"\ntarget = "/cache"\n'


def policy(folder: Path, text: str) -> str:
    path = folder / "policy.toml"
    path.write_text(f'extends = "offline"\n{text}')
    path.chmod(0o644)
    return str(path)


def test_an_agent_that_fills_a_cache_is_stopped_and_the_next_one_begins_anew(tmp_path: Path) -> None:
    fake = FakeHost(tmp_path)

    def fills(box: FakeBox) -> int:
        (box.path("/cache") / f"file{len(list(box.path('/cache').iterdir()))}").write_bytes(bytes(6 * MIB))
        box.sleep(0.3)
        return 0

    loose = policy(tmp_path, f'{CACHE}[limits]\ndisk = "10MiB"\n')
    assert [run_task(fake.task(fills, policy=loose), fake.host()).outcome for _ in range(3)] == [Outcome.NO_CHANGES] * 3
    strict = policy(tmp_path, f'{CACHE}[limits]\ndisk = "5MiB"\n')
    result = run_task(fake.task(fills, policy=strict), fake.host())
    assert (result.outcome, result.limits["disk"].hit) == (Outcome.DISK_EXCEEDED, True)
    assert not RunPaths(Path(result.paths["run"])).lent.exists()


def test_a_place_with_more_files_than_can_be_watched_is_refused(tmp_path: Path) -> None:
    fake = FakeHost(tmp_path)
    place = tmp_path / "many"
    place.mkdir()
    for number in range(300):
        (place / str(number)).touch()
    mount = f'[[mounts]]\nsource = "{place}"\ntarget = "/data"\nmode = "rw"\n'
    task = fake.task(policy=policy(tmp_path, f"{mount}[limits]\nfiles = 200\n"))
    result = run_task(task, fake.host())
    assert result.outcome is Outcome.REFUSED
    assert "limits.files = 200" in result.reason
    good = run_task(fake.task(policy=policy(tmp_path, f"{mount}[limits]\nfiles = 400\n")), fake.host())
    assert good.outcome is Outcome.NO_CHANGES
