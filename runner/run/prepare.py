"""Everything that is decided before anything starts: a `Prepared` run, or a refusal that says why.

Nothing here has an effect that outlives it, but one: the shipped image is built when it is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.agents.base import Agent, Reader, Silent
from runner.errors import EngineUnavailableError, ImageError, RefusedError, UsageError
from runner.model.identity import Identity
from runner.model.policy import Policy
from runner.model.quantities import format_size
from runner.model.request import Command, ImageSettings, Machine, Request
from runner.model.secret_names import is_secret_name
from runner.model.settings import Settings
from runner.model.spec import ImageRef, Mount
from runner.model.task import Task
from runner.plan import check_machine
from runner.redact import MIN_LENGTH
from runner.repo.source import Source, inspect_source
from runner.repo.urls import is_url
from runner.run.bounding import find_own
from runner.run.context import bare_clone, find_beside, find_context, mounts_for, refuse_collisions
from runner.run.decision import Decision, decide, refuse_unreadable
from runner.run.host import Host, agent_identity
from runner.run.model_api import require_key
from runner.run.places import places_of, resolve_mounts
from runner.run.repo_image import BASE_IMAGE, choose_image, planned_image, settings_of
from runner.sandbox.engine import EngineFacts, ImageFacts
from runner.store.policy_files import LoadedPolicy
from runner.store.run_id import new_run_id
from runner.store.runs import RunPaths, run_paths
from runner.store.secret_sources import load_secrets

if TYPE_CHECKING:
    from runner.run.route import Route

LEAST_DISK = 256 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run that may start."""

    task: Task
    command: Command
    slug: str
    """Words for the run's id."""
    loaded: LoadedPolicy
    source: Source
    identity: Identity
    image: ImageSettings
    collector_image: ImageRef
    mounts: tuple[Mount, ...]
    """The policy's own."""
    context: Mapping[str, Path] = field(default_factory=dict)
    """What the agent gets a copy of, by its name in /context."""
    beside: Mapping[str, Source] = field(default_factory=dict)
    """Other repositories that it may read, by their names in /beside."""
    secrets: dict[str, str] = field(default_factory=dict)
    reader: Reader | None = None
    """Who reads the agent's event stream; `None` where it has none."""
    route: Route | None = None
    """The way out; `None` where the policy has none."""
    notices: tuple[str, ...] = ()
    engine: dict[str, str] = field(default_factory=dict)
    """Versions of the engine and its parts."""

    @property
    def policy(self) -> Policy:
        """The effective policy."""
        return self.loaded.policy


def prepare(task: Task, host: Host) -> Prepared:
    """Decide everything about `task`. Raises `RefusedError` or `EngineError`; then nothing has been started."""
    decision = decide(task, host)
    require_key(decision.agent, decision.api, task, host)
    with ThreadPoolExecutor(max_workers=2) as beside:
        facts = beside.submit(host.engine.facts)
        source = find_source(task, host)
        decision = with_own_policy(decision, source, host)
        task, loaded = decision.task, decision.loaded
        based = beside.submit(base_image, facts, loaded.policy, host)
        beside_it = find_beside(task, host)
        refuse_collisions(task, loaded.policy)
        context = find_context(task, source, host)
        mounts = resolve_mounts(loaded, source, host)
        notices = check_disk(host.settings.state_dir, loaded.policy) + unmasked(task)
        if loaded.policy.network.mode != "none":
            import runner.run.route  # noqa: F401 - while the engine answers
        with missing_is_refused():
            base = based.result()
            image, of_image = choose_image(task, decision.agent.image, base, source, host)
            route = find_route(loaded.policy, image.ref, host)
    return Prepared(
        task=task,
        command=decision.command,
        slug=slug_of(decision),
        loaded=loaded,
        source=source,
        identity=agent_identity(host.user, source.owner),
        image=settings_of(image),
        collector_image=base.ref,
        mounts=mounts,
        context=context,
        beside=beside_it,
        secrets={**secrets_of(task), **passed_secrets(task, host)},
        reader=reader_of(decision.agent),
        route=route,
        notices=decision.notices + of_image + observing(loaded.name, task) + notices + (route.notices if route else ()),
        engine={"engine": facts.result().version, **facts.result().components},
    )


def base_image(facts: Future[EngineFacts], policy: Policy, host: Host) -> ImageFacts:
    """The shipped image, built if need be, for a machine that can hold the policy."""
    check_machine(policy, machine_of(facts.result()))
    return host.engine.image("")


def with_own_policy(decision: Decision, source: Source, host: Host) -> Decision:
    """The decision once the repository has been looked at: its policy is found, and stays that of this commit.

    Whoever goes on with the run finds the same one, whatever an agent has made of it since.
    """
    task = decision.task
    own = find_own(task, source, host)
    task = task.model_copy(update={"policy_base": task.policy_base or source.base_sha})
    return decide(task, host, own) if own else replace(decision, task=task)


def reader_of(agent: Agent) -> Reader | None:
    """Who reads the agent's event stream; `None` where it has none."""
    reader = agent.reader()
    return None if isinstance(reader, Silent) else reader


def slug_of(decision: Decision) -> str:
    """Words for the run's id."""
    return decision.task.name or decision.agent.slug(decision.task)


def passed_secrets(task: Task, host: Host) -> dict[str, str]:
    """Secrets that the user wants inside, by the names of their variables. Raises `RefusedError`."""
    if not task.pass_secrets:
        return {}
    return load_secrets(task.pass_secrets, host.settings.secrets, host.variable)


def find_route(policy: Policy, image: ImageRef, host: Host) -> Route | None:
    """The way out of the sandbox, where the policy opens one. Raises `ImageError`."""
    if policy.network.mode == "none":
        return None
    from runner.run.route import decide_route  # for those alone that have one

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


def plan_request(task: Task, host: Host, tell: Callable[[str], None] = lambda _: None) -> Request:
    """What a run would be decided on, found out without an engine and without a network: nothing is started.

    `tell` hears what bounds the policy.
    """
    decision = decide(task, host)
    if is_url(task.repo):
        raise UsageError(
            "`paddock plan` fetches nothing, so it needs a path.", hint="Clone the URL and plan with the clone."
        )
    source = find_source(task, host)
    decision = with_own_policy(decision, source, host)
    for notice in decision.loaded.notices:
        tell(notice)
    refuse_collisions(task, decision.loaded.policy)
    find_context(task, source, host)
    prepared = Prepared(
        task=task,
        command=decision.command,
        slug=slug_of(decision),
        loaded=decision.loaded,
        source=source,
        identity=agent_identity(host.user, source.owner),
        image=planned_image(task, decision.agent.image, source, host),
        collector_image=ImageRef(name=BASE_IMAGE),
        mounts=resolve_mounts(decision.loaded, source, host),
        secrets={**secrets_of(task), **dict.fromkeys(task.pass_secrets, "")},
    )
    state = host.settings.state_dir
    run = new_run_id(prepared.slug, host.clock.now().date(), lambda _: 0)
    return request_of(prepared, host.settings, run_paths(state, run))


def secrets_of(task: Task) -> dict[str, str]:
    """The variables that are masked in the output and written nowhere: their names say that they are secrets."""
    return {name: value for name, value in task.environment.items() if is_secret_name(name)}


def unmasked(task: Task) -> tuple[str, ...]:
    """A notice for each secret that is too short to be masked in the output."""
    short = [name for name, value in secrets_of(task).items() if 0 < len(value.encode()) < MIN_LENGTH]
    return tuple(f"--env {name}: shorter than {MIN_LENGTH} bytes, so it is not masked in the output." for name in short)


def find_source(task: Task, host: Host) -> Source:
    """The repository, a URL cloned or fetched first. Raises `RepositoryError`."""
    place = task.repo
    if is_url(place):
        place = str(bare_clone(place, host))
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
        product=facts.product,
    )


def request_of(prepared: Prepared, settings: Settings, paths: RunPaths) -> Request:
    """What the plan decides on."""
    task = prepared.task
    return Request(
        run=paths.id,
        policy=prepared.policy,
        command=prepared.command,
        image=prepared.image,
        identity=prepared.identity,
        places=places_of(settings, paths),
        mounts=(*prepared.mounts, *mounts_for(prepared.task, paths)),
        environment=dict(task.environment),
        secret_names=tuple(sorted(prepared.secrets)),
        wanted=True,
    )
