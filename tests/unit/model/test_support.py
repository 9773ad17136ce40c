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
    ],
)
def test_what_this_version_can_hold_is_supported(tables: dict[str, Any]) -> None:
    assert unsupported(Policy.model_validate(tables)) == []


@pytest.mark.parametrize(
    ("tables", "keys"),
    [
        (
            {"network": {"mode": "open", "inject": [{"host": "x.org", "header": "a", "secret": "B"}]}},
            ["network.inject"],
        ),
        ({"limits": {"cost_usd": 5}}, ["limits.cost_usd"]),
    ],
)
def test_what_cannot_be_enforced_yet_is_named(tables: dict[str, Any], keys: list[str]) -> None:
    sentences = unsupported(Policy.model_validate(tables))
    assert [sentence.startswith(key) for sentence, key in zip(sentences, keys, strict=True)] == [True] * len(keys)
    assert all(sentence.endswith(".") for sentence in sentences)
