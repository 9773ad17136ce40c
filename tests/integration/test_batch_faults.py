"""A batch is killed, its containers are, its engine restarts and is killed: every task is done exactly once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli import Paddock
from tests.integration.private_engine import PrivateEngine, private_engine
from tests.soak.batch_faults import Siege
from tests.soak.batch_verdict import verdict
from tests.soak.soak import seed_of_now

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]

TASKS = int(os.environ.get("PADDOCK_BATCH_TASKS", "16"))
"""`make faults` has two hundred of them."""
SEED = int(os.environ.get("PADDOCK_BATCH_SEED", "0")) or seed_of_now()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[PrivateEngine]:
    engine = private_engine(tmp_path / "images")
    yield engine
    engine.close()


def test_a_batch_under_siege_does_every_task_exactly_once_and_leaves_nothing(
    paddock: Paddock, engine: PrivateEngine
) -> None:
    siege = Siege(paddock, engine, tasks=TASKS, repositories=max(4, TASKS // 10), seed=SEED)
    try:
        siege.carry_on()
    finally:
        siege.end()
    wrong = list(verdict(siege))
    assert wrong == [], "\n".join([f"PADDOCK_BATCH_SEED={SEED} PADDOCK_BATCH_TASKS={TASKS}", *siege.told, *wrong])
