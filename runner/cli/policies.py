"""`paddock policy ...`: look at policies; nothing here starts anything."""

from __future__ import annotations

import json
from collections.abc import Mapping

from runner.cli.terminal import answer, say, table
from runner.errors import UsageError
from runner.escape import escape_text
from runner.model.network import REGISTRY_GROUPS
from runner.model.policy_schema import json_schema
from runner.report.network_groups import HEADER, group_cells, groups_in
from runner.report.policy_toml import policy_toml
from runner.run.groups import refuse_unknown_groups, shipped_groups
from runner.settings import home, load_settings
from runner.store.policy_files import LoadedPolicy, explain, list_policies, load_policy


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


def explain_policy(name: str, *, image: str = "", repo: str = "", base: str = "") -> None:
    """Key, value, origin; then each group's entries. An `image` is asked about the groups that its tools explain.

    The values are those within the ceiling, and with `repo` within the policy that it brings.
    """
    loaded = effective(name, repo, base)
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


def effective(name: str, repo: str, base: str) -> LoadedPolicy:
    """The policy within its bounds, as a run would begin with it. Raises `RefusedError`, `UsageError`."""
    from runner.cli.console import Console
    from runner.cli.running import host_of
    from runner.model.task import Task
    from runner.run.bounding import OWN, find_own, within_bounds
    from runner.run.cancellation import Cancellation
    from runner.run.decision import chosen_policy
    from runner.run.prepare import find_source

    if not repo and (base or name == OWN):
        raise UsageError("--repo is missing: which repository's?", hint="As in: paddock policy explain repo --repo .")
    host = host_of(load_settings(), Console(stdout_is_taken=True), Cancellation())
    task = Task(repo=repo, base=base, policy=name)
    own = find_own(task, find_source(task, host), host) if repo else None
    loaded = within_bounds(chosen_policy(task, host, own), task, None, host, own)
    for notice in loaded.notices:
        say(escape_text(notice))
    return loaded


def registries_of(image: str) -> tuple[Mapping[str, tuple[str, ...]], Mapping[str, tuple[str, ...]]]:
    """What the image's tools are set to use, and why some of it is left out; `base` is the shipped image.

    Raises `ImageError`.
    """
    from runner.sandbox.docker_engine import DockerEngine
    from runner.sandbox.registries import remembered

    settings = load_settings()
    engine = DockerEngine(settings.engine, state_dir=settings.state_dir, progress=say, path_map=settings.path_map)
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
