"""`paddock policy ...`: look at policies; nothing here starts anything."""

from __future__ import annotations

import json
from collections.abc import Mapping

from runner.cli.terminal import answer, say, table
from runner.model.network import REGISTRY_GROUPS
from runner.model.policy import json_schema
from runner.report.network_groups import HEADER, group_cells, groups_in
from runner.report.policy_toml import policy_toml
from runner.run.groups import refuse_unknown_groups, shipped_groups
from runner.settings import home, load_settings
from runner.store.policy_files import explain, list_policies, load_policy


def list_shipped() -> None:
    """Names and descriptions."""
    for name, description in list_policies():
        answer(f"{name:<10} {description}")


def show_policy(name: str) -> None:
    """The effective policy as TOML that could be written to a file."""
    answer(policy_toml(load_policy(name, home=home()).policy).rstrip())


def check_policy(name: str) -> None:
    """Silent success is no answer: say that it is right, or raise with every reason."""
    loaded = load_policy(name, home=home())
    refuse_unknown_groups(loaded.policy.network, name)
    answer(f"{name} is right. {loaded.policy.digest()}")


def explain_policy(name: str, *, image: str = "") -> None:
    """Key, value, origin; then each group's entries. An `image` is asked about the groups that its tools explain."""
    loaded = load_policy(name, home=home())
    rows = [(row.key, row.value, row.origin) for row in explain(loaded)]
    for line in table(("KEY", "VALUE", "FROM"), rows):
        answer(line)
    network = loaded.policy.network
    if groups_in(network):
        answer()
        found, left_out = registries_of(image) if image else ({}, {})
        for line in table(HEADER, group_cells(network, {**shipped_groups(), **found}, REGISTRY_GROUPS)):
            answer(line)
        for group in groups_in(network):
            for why in left_out.get(group, ()):
                answer(f"@{group} leaves out what the image names: {why}.")


def registries_of(image: str) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]]:
    """What the image's tools are set to use, and why some of it is left out; `base` is the shipped image.

    Raises `ImageError`.
    """
    from runner.sandbox.docker_engine import DockerEngine
    from runner.sandbox.registries import remembered

    settings = load_settings()
    engine = DockerEngine(settings.engine, state_dir=settings.state_dir, progress=say)
    ref = engine.image("" if image == "base" else image).ref
    found, record = engine.registries(ref), remembered(ref, settings.state_dir)
    return found, record.left_out if record else {}


def print_schema(*, result: bool) -> None:
    """A JSON Schema on stdout."""
    if result:
        from runner.model.result import RunResult

        answer(json.dumps(RunResult.model_json_schema(mode="serialization"), indent=2))
    else:
        answer(json.dumps(json_schema(), indent=2))
