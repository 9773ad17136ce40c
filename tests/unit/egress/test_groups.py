"""The shipped groups load, and a wrong file is named with its key."""

from pathlib import Path

import pytest

from runner.egress.groups import load_groups
from runner.egress.rules import compile_rules
from runner.errors import PolicyError
from runner.model.network import REGISTRY_GROUPS
from runner.model.policy import Network
from runner.shipped import shipped

SHIPPED = shipped("policies") / "groups.toml"


def test_the_shipped_groups_compile_and_name_no_registry() -> None:
    groups = load_groups(SHIPPED)
    assert {"github", "gitlab", "bitbucket", "huggingface", "anthropic", "openai", "google", "openrouter"} <= set(
        groups
    )
    assert not REGISTRY_GROUPS & set(groups)
    network = Network.model_validate({"mode": "allow", "allow": [f"@{name}" for name in groups]})
    assert compile_rules(network, groups).decide("api.github.com", 443).allowed


def test_every_shipped_entry_says_what_it_lets_out() -> None:
    entries = [line for line in SHIPPED.read_text().splitlines() if line.startswith("  ")]
    assert len(entries) > 20
    assert [line for line in entries if len(line.partition("#")[2].strip()) < 10] == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[groups]\na = ["10.0.0.1"]', r"groups\.a\[0\]: .* is an IP address"),
        ('[groups]\na = ["x.test", "*.co.uk"]', r"groups\.a\[1\]: .*anybody"),
        ('[groups]\na = ["@b"]', r"groups\.a\[0\]: a group holds names"),
        ('[groups]\na = ["x.test", "X.test."]', r"groups\.a\[1\]: x\.test stands here twice"),
        ("[groups]\na = []", r"groups\.a: .* not an empty one"),
        ('[groups]\na = "x.test"', r"groups\.a: a group is a list"),
        ("[groups]\na = [1]", r"groups\.a\[0\]: must be a name in quotes"),
        ('[groups]\nA = ["x.test"]', r'groups\."A": a group\'s name'),
        ('[groups]\npython = ["x.test"]', r"groups\.python: .* image's tools"),
        ("[groups]\n[other]\n", r'one table, \[groups\], not "other"'),
        ("", "one table"),
        ("groups = 1", "one table"),
        ("[groups", "is not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_file_key_and_rule(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "groups.toml"
    file.write_text(text)
    with pytest.raises(PolicyError, match=sentence) as caught:
        load_groups(file)
    assert caught.value.message.startswith(f"{file}: ")


def test_a_missing_file_is_a_policy_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        load_groups(tmp_path / "none.toml")
