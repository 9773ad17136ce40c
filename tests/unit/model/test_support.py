"""What this version cannot do yet is named, key first."""

from typing import Any

import pytest

from runner.model.policy import Policy
from runner.model.support import unsupported


@pytest.mark.parametrize(
    "tables",
    [
        {},
        {"mounts": [{"source": "/srv/x", "target": "/x"}], "caches": [{"name": "c", "target": "/c"}]},
        {"sandbox": {"runtime": "runsc", "writable_root": True, "env": {"CI": "1"}}},
        {"limits": {"cpus": 1, "disk": "1GiB", "grace": "1s"}, "workspace": {"history": "full", "include": ["x"]}},
        {"network": {"mode": "none", "upload_limit": "1MiB"}},
        {"network": {"mode": "allow", "allow": ["@python", "*.x.org"], "private": ["10.0.0.0/8"]}},
        {"network": {"mode": "open", "deny": ["x.org"]}},
        {"network": {"mode": "open", "inject": [{"host": "x.org", "header": "a", "secret": "B"}]}},
    ],
)
def test_what_this_version_can_hold_is_supported(tables: dict[str, Any]) -> None:
    assert unsupported(Policy.model_validate(tables)) == []


def test_what_cannot_be_enforced_yet_is_named() -> None:
    [sentence] = unsupported(Policy.model_validate({"limits": {"cost_usd": 5}}))
    assert sentence.startswith("limits.cost_usd ")
    assert sentence.endswith(".")
