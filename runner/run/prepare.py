"""Everything that is decided before anything starts: a `Prepared` run, or a refusal that says why.

Nothing here has an effect that outlives it, but one: the shipped image is built when it is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.agents.base import Agent
from runner.agents.table import agent_named
from runner.errors import EngineUnavailableError, ImageError, RefusedError, UsageError
from runner.escape import escape_text
from runner.model.environment import environment_fault
from runner.model.identity import Identity
from runner.model.policy import Policy
from runner.model.quantities import format_size
from runner.model.secret_names import is_secret_name
from runner.model.settings import engine_fault
from runner.model.spec import ImageRef, Mount
from runner.model.task import Task, task_fault, text_fault
from runner.plan import ImageSettings, Machine, Request, check_machine, refuse_unsupported
from runner.redact import MIN_LENGTH
from runner.repo.clone import clone_source
from runner.repo.source import Source, inspect_source
from runner.repo.urls import is_url
from runner.run.host import Host, agent_identity
from runner.run.places import places_of, resolve_mounts
from runner.sandbox.engine import EngineFacts
from runner.settings import git_environment
from runner.store.policy_files import LoadedPolicy, load_policy
from runner.store.run_id import new_run_id
from runner.store.runs import RunPaths, run_paths

if TYPE_CHECKING:
    from runner.run.network import Route

BASE_IMAGE = "paddock/base"
"""The shipped image's name where its tag, a hash of its content, is not looked up."""
LEAST_DISK = 256 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run that may start."""

    task: Task
    agent: Agent
    loaded: LoadedPolicy
    source: Source
    identity: Identity
    image: ImageSettings
    collector_image: ImageRef
    mounts: tuple[Mount, ...]
    secrets: dict[str, str]
    route: Route | None = None
    """The way out; `None` where the policy has none."""
    notices: tuple[str, ...] = ()

    @property
    def policy(self) -> Policy:
        """The effective policy."""
        return self.loaded.policy


def prepare(task: Task, host: Host) -> Prepared:
    """Decide everything about `task`. Raises `RefusedError` or `EngineError`; then nothing has been started."""
    agent, loaded = decide_policy(task, host)
    with ThreadPoolExecutor(max_workers=1) as beside:
        facts = beside.submit(host.engine.facts)
        source = find_source(task, host)
    mounts = resolve_mounts(loaded, source, host)
    notices = check_disk(host.settings.state_dir, loaded.policy) + unmasked(task)
    with missing_is_refused():
        check_machine(loaded.policy, machine_of(facts.result()))
        base = host.engine.image("")
        image = host.engine.image(task.image) if task.image else base
        route = find_route(loaded.policy, image.ref, host)
    return Prepared(
        task=task,
        agent=agent,
        loaded=loaded,
        source=source,
        identity=agent_identity(host.user, source.owner),
        image=ImageSettings(ref=image.ref, environment=tuple(image.environment), volumes=image.volumes),
        collector_image=base.ref,
        mounts=mounts,
        secrets=secrets_of(task),
        route=route,
        notices=observing(loaded.name, task) + notices + (route.notices if route else ()),
    )


def find_route(policy: Policy, image: ImageRef, host: Host) -> Route | None:
    """The way out of the sandbox, where the policy opens one. Raises `ImageError`."""
    if policy.network.mode == "none":
        return None
    from runner.run.network import decide_route  # brings asyncio along

    return decide_route(policy.network, image, host)


def observing(policy: str, task: Task) -> tuple[str, ...]:
    """What an observed run says at its start."""
    if not task.observe:
        return ()
    from runner.egress.observe import observe_notice

    return (observe_notice(policy),)


@contextmanager
def missing_is_refused() -> Iterator[None]:
    """What is missing from the start is the user's to mend; later, in a run, it is a failure that may pass."""
    try:
        yield
    except (EngineUnavailableError, ImageError) as error:
        raise RefusedError(error.message, hint=error.hint) from error


def plan_request(task: Task, host: Host) -> Request:
    """What a run would be decided on, found out without an engine and without a network: nothing is started."""
    agent, loaded = decide_policy(task, host)
    if is_url(task.repo):
        raise UsageError(
            "`paddock plan` fetches nothing, so it needs a path.", hint="Clone the URL and plan with the clone."
        )
    source = find_source(task, host)
    prepared = Prepared(
        task=task,
        agent=agent,
        loaded=loaded,
        source=source,
        identity=agent_identity(host.user, source.owner),
        image=ImageSettings(ref=ImageRef(name=task.image or BASE_IMAGE)),
        collector_image=ImageRef(name=BASE_IMAGE),
        mounts=resolve_mounts(loaded, source, host),
        secrets=secrets_of(task),
    )
    state = host.settings.state_dir
    run = new_run_id(task.name or agent.slug(task), host.clock.now().date(), lambda _: 0)
    return request_of(prepared, state, run_paths(state, run))


def decide_policy(task: Task, host: Host) -> tuple[Agent, LoadedPolicy]:
    """The task's agent and policy, as far as they can be judged without the machine. Raises `RefusedError`."""
    for fault in (task_fault(task), engine_fault(host.settings.engine)):
        if fault:
            raise RefusedError(f"{fault.removesuffix('.')}.")
    refuse_unreadable("The state directory", str(host.settings.state_dir))
    agent = agent_named(task.agent)
    agent.command(task)
    for name, value in task.environment.items():
        if fault := environment_fault(name, value):
            raise RefusedError(f"--env: {fault}.")
    loaded = load_policy(task.policy, home=host.home)
    if task.observe:
        from runner.egress.observe import observed

        loaded = replace(loaded, policy=observed(loaded.policy))
    if loaded.policy.network.mode != "none":
        from runner.run.groups import refuse_unknown_groups

        refuse_unknown_groups(loaded.policy.network, loaded.name)
    refuse_unsupported(loaded.policy)
    return agent, loaded


def secrets_of(task: Task) -> dict[str, str]:
    """The variables that are masked in the output and written nowhere: their names say that they are secrets."""
    return {name: value for name, value in task.environment.items() if is_secret_name(name)}


def unmasked(task: Task) -> tuple[str, ...]:
    """A notice for each secret that is too short to be masked in the output."""
    short = [name for name, value in secrets_of(task).items() if 0 < len(value.encode()) < MIN_LENGTH]
    return tuple(f"--env {name}: shorter than {MIN_LENGTH} bytes, so it is not masked in the output." for name in short)


def refuse_unreadable(what: str, path: str) -> None:
    """Raises `RefusedError` for a path that no document can hold."""
    if fault := text_fault(path):
        raise RefusedError(f"{what} {escape_text(path)} {fault}.", hint="Rename it, or use another one.")


def find_source(task: Task, host: Host) -> Source:
    """The repository, a URL cloned or fetched first. Raises `RepositoryError`."""
    place = task.repo
    if is_url(place):
        place = str(clone_source(place, host.settings.state_dir, environment=git_environment()))
    source = inspect_source(place, task.base, effective_uid=host.user.uid)
    for path in (source.path, source.common_dir):
        refuse_unreadable("The repository", str(path))
    return source


def check_disk(state: Path, policy: Policy) -> tuple[str, ...]:
    """Refuse to begin on a full disk; a notice where the policy grants more than there is."""
    folder = next(parent for parent in (state, *state.parents) if parent.exists())
    free = shutil.disk_usage(folder).free
    if free < LEAST_DISK:
        raise RefusedError(
            f"The disk of {state} is full: {free // 2**20} MiB are free, a run needs {LEAST_DISK // 2**20} MiB.",
            hint="Remove old runs with `paddock prune`, or choose another place with PADDOCK_STATE_DIR.",
        )
    granted = policy.limits.disk
    return () if free >= granted else (f"limits.disk = {format_size(granted)}, but only {free // 2**20} MiB are free.",)


def machine_of(facts: EngineFacts) -> Machine:
    """What the plan has to know of the engine."""
    return Machine(
        cpus=facts.cpus,
        memory=facts.memory,
        runtimes=facts.runtimes,
        missing_limits=facts.missing_limits,
        seccomp=facts.seccomp,
        rootless=facts.rootless,
        cgroup_version=facts.cgroup_version,
    )


def request_of(prepared: Prepared, state: Path, paths: RunPaths) -> Request:
    """What the plan decides on."""
    task = prepared.task
    return Request(
        run=paths.id,
        policy=prepared.policy,
        command=prepared.agent.command(task),
        image=prepared.image,
        identity=prepared.identity,
        places=places_of(state, paths),
        mounts=prepared.mounts,
        environment=dict(task.environment),
        secret_names=tuple(sorted(prepared.secrets)),
    )
