"""`paddock policy ...`: look at policies; nothing here starts anything."""

from __future__ import annotations

import json

from runner.cli.terminal import answer, table
from runner.errors import UnenforceableError
from runner.model.policy import json_schema
from runner.model.support import unsupported
from runner.report.policy_toml import policy_toml
from runner.settings import home
from runner.store.policy_files import explain, list_policies, load_policy


def list_shipped() -> None:
    """Names and descriptions."""
    for name, description in list_policies():
        reasons = unsupported(load_policy(name, home=home()).policy)
        answer(f"{name:<10} {description}{'  (not yet: ' + reasons[0] + ')' if reasons else ''}")


def show_policy(name: str) -> None:
    """The effective policy as TOML that could be written to a file."""
    answer(policy_toml(load_policy(name, home=home()).policy).rstrip())


def check_policy(name: str) -> None:
    """Silent success is no answer: say that it is right, or raise with every reason."""
    loaded = load_policy(name, home=home())
    if reasons := unsupported(loaded.policy):
        raise UnenforceableError(
            f"{name} is well-formed, but this version cannot enforce it:\n  " + "\n  ".join(reasons)
        )
    answer(f"{name} is right. {loaded.policy.digest()}")


def explain_policy(name: str) -> None:
    """Key, value, origin."""
    rows = [(row.key, row.value, row.origin) for row in explain(load_policy(name, home=home()))]
    for line in table(("KEY", "VALUE", "FROM"), rows):
        answer(line)


def print_schema(*, result: bool) -> None:
    """A JSON Schema on stdout."""
    if result:
        from runner.model.result import RunResult

        answer(json.dumps(RunResult.model_json_schema(mode="serialization"), indent=2))
    else:
        answer(json.dumps(json_schema(), indent=2))
