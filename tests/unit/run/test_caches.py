"""`paddock prune --caches` removes what outlives every run, and nothing that a run is using."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.run.caches import prune_caches
from runner.run.execute import run_task
from runner.sandbox.fake import FakeBox
from runner.store.ledger import Ledger
from tests.unit.run.fake_host import FakeHost


@pytest.fixture
def fake(tmp_path: Path) -> FakeHost:
    return FakeHost(tmp_path)


@pytest.fixture
def ledger(fake: FakeHost) -> Iterator[Ledger]:
    with Ledger(fake.host().ledger) as opened:
        yield opened


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "policy.toml"
    path.write_text('extends = "offline"\n[[caches]]\nname = "uv"\ntarget = "/cache"\n')
    path.chmod(0o644)
    return str(path)


def fills(box: FakeBox) -> int:
    closed = box.path("/cache") / "closed"
    closed.mkdir()
    (closed / "kept").write_text("x")
    closed.chmod(0o000)
    return 0


def caches(fake: FakeHost) -> list[Path]:
    return list((fake.state / "caches").glob("*/*"))


def test_a_cache_stays_until_it_is_asked_to_go(fake: FakeHost, ledger: Ledger, policy: str) -> None:
    run_task(fake.task(fills, policy=policy), fake.host())
    (cache,) = caches(fake)
    name = f"{cache.parent.name}/uv"

    (line,) = prune_caches(fake.state, ledger, dry_run=True)
    assert line.startswith(f"cache {name}, ")
    assert caches(fake) == [cache]
    assert list(prune_caches(fake.state, ledger, dry_run=False)) == [line]
    assert not cache.parent.exists()
    assert list(prune_caches(fake.state, ledger, dry_run=False)) == []


def test_a_cache_of_a_run_under_way_stays(fake: FakeHost, ledger: Ledger, policy: str) -> None:
    told: list[str] = []

    def prunes(box: FakeBox) -> int:
        (box.path("/cache") / "kept").write_text("x")
        with Ledger(fake.host().ledger) as another:
            told.extend(prune_caches(fake.state, another, dry_run=False))
        return 0

    result = run_task(fake.task(prunes, policy=policy), fake.host())
    (cache,) = caches(fake)
    assert told == [f"kept cache {cache.parent.name}/uv: {result.id} may write to it"]
    assert (cache / "kept").exists()
    assert list(prune_caches(fake.state, ledger, dry_run=False)) != []
    assert caches(fake) == []


def test_what_an_earlier_removal_left_goes_too_and_links_are_not_followed(
    fake: FakeHost, ledger: Ledger, tmp_path: Path
) -> None:
    half = fake.state / "caches/0123456789abcdef/uv.removed"
    half.mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (half / "link").symlink_to(tmp_path / "outside")
    (half.parent / "linked").symlink_to(tmp_path / "outside")
    assert len(list(prune_caches(fake.state, ledger, dry_run=False))) == 1
    assert not half.exists()
    assert (tmp_path / "outside").is_dir()
