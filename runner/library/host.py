"""The host of a library's user: this machine with the real engine, as settings and environment describe it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runner.errors import StoreError
from runner.model.policy import Policy
from runner.model.settings import Settings
from runner.model.task import Task
from runner.run.host import Host
from runner.sandbox.engine import Engine
from runner.sandbox.late_engine import LateEngine
from runner.settings import ceiling_files, home, trust_file, variable


def this_host(settings: Settings, *, progress: Callable[[str], None] = lambda _: None, **callbacks: Any) -> Host:
    """This machine, with the real engine; `callbacks` are fields of `Host`. Nothing is opened yet."""

    def load() -> Engine:
        from runner.sandbox.docker_engine import DockerEngine

        return DockerEngine(
            settings.engine, state_dir=settings.state_dir, progress=progress, path_map=settings.path_map
        )

    return Host(
        settings=settings,
        engine=LateEngine(load),
        home=home(),
        variable=variable,
        trust=trust_file(),
        ceilings=ceiling_files(),
        **callbacks,
    )


def under(policy: Policy, task: Task, settings: Settings) -> Task:
    """The task with that policy, kept in a file, so that whoever goes on with the run finds it. Raises `StoreError`."""
    from runner.report.policy_toml import policy_toml  # for those alone that bring one
    from runner.store.files import write_whole
    from runner.store.given_policies import given_policies

    file = given_policies(settings.state_dir) / f"{policy.digest().removeprefix('sha256:')}.toml"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{file.parent} cannot be made: {error.strerror}.") from error
    write_whole(file, policy_toml(policy))
    return task.model_copy(update={"policy": str(file)})
