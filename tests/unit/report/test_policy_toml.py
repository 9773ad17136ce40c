"""What `paddock policy show` prints is a policy file, and means the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.model.policy import Policy
from runner.report.policy_toml import policy_toml
from runner.shipped import shipped
from runner.store.policy_files import load_policy

EVERYTHING = {
    "description": 'quotes "and" \\ backslashes, é, and\nlines',
    "network": {
        "mode": "allow",
        "allow": ["api.example.test"],
        "inject": [{"host": "api.example.test", "header": "x-api-key", "secret": "API_KEY"}],
    },
    "mounts": [{"source": "/srv/data", "target": "/data"}, {"source": "/srv/out", "target": "/results", "mode": "rw"}],
    "caches": [{"name": "uv", "target": "/home/agent/.cache/uv"}],
    "limits": {"wall_clock": "1h30m", "cpus": 0.5, "cost_usd": 5.0},
    "sandbox": {"writable_root": True, "env": {"CI": "1", "GREETING": "a=b \t c"}},
    "workspace": {"include": [".env.example"]},
}


def loaded_again(policy: Policy, folder: Path) -> Policy:
    path = folder / "again.toml"
    path.write_text(policy_toml(policy), encoding="utf-8")
    return load_policy(str(path), home=folder).policy


PRESETS = sorted(path.stem for path in shipped("policies").glob("*.toml") if path.stem != "groups")


@pytest.mark.parametrize("name", PRESETS)
def test_every_shipped_policy_survives_being_shown_and_loaded(name: str, tmp_path: Path) -> None:
    policy = load_policy(name, home=tmp_path).policy
    assert loaded_again(policy, tmp_path) == policy


def test_a_policy_that_uses_every_table_survives(tmp_path: Path) -> None:
    policy = Policy.model_validate(EVERYTHING)
    assert loaded_again(policy, tmp_path) == policy
