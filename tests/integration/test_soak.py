"""Twelve runs at random, three at a time, leave nothing; `make soak` has three hundred of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from docker import APIClient

from tests.soak.soak import Soak, seed_of_now, soak

pytestmark = pytest.mark.docker


@pytest.mark.timeout(240)
def test_twelve_runs_at_random_leave_nothing(tmp_path: Path, docker_client: APIClient) -> None:
    seed = seed_of_now()
    told: list[str] = []
    wrong = soak(Soak(runs=12, at_once=3, seed=seed, say=told.append), tmp_path, docker_client)
    assert wrong == [], "\n".join([f"python -m tests.soak --runs 12 --seed {seed}", *told])
