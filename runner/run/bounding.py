"""What bounds a run's policy: the administrator's ceilings, and the policy that the repository brings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.errors import PolicyError, RefusedError, UsageError
from runner.escape import escape_text
from runner.model.policy import Policy
from runner.model.policy_file import digest_of
from runner.model.task import Task
from runner.repo.own_policy import PLACE, WAY_OUT, read_own_policy
from runner.repo.source import Source
from runner.run.groups import refuse_unknown_groups, shipped_groups
from runner.run.host import Host
from runner.run.model_api import ModelApi, with_api
from runner.run.repo_image import repository_of, shown_repo
from runner.store.policy_files import LoadedPolicy

if TYPE_CHECKING:  # most runs have no bound
    from runner.store.policy_bounds import Bound

OWN = "repo"
"""What `--policy` says for the repository's own policy."""


@dataclass(frozen=True, kw_only=True)
class Own:
    """The policy that a repository brings, as one of its commits has it."""

    data: bytes
    commit: str


def find_own(task: Task, source: Source, host: Host) -> Own | None:
    """The policy of the commit that the work began at, before any agent; None where it brings none.

    Raises `RefusedError` for one that cannot be read, and for one that is chosen and is not there or not trusted.
    """
    chosen = task.policy == OWN
    if not task.repo_policy:
        if chosen:
            raise UsageError("--policy repo and --no-repo-policy say two things.", hint="Leave one out.")
        return None
    begun = replace(source, base_sha=task.policy_base or source.base_sha)
    found = read_own_policy(begun, effective_uid=host.user.uid)
    if found is None:
        if chosen:
            raise RefusedError(
                f"{source.shown} brings no policy in {begun.base_sha[:12]}.", hint=f"Commit one as {PLACE}."
            )
        return None
    own = Own(data=found.data, commit=found.commit)
    if chosen:
        _require_trust(own, task, source, host)
    return own


def _require_trust(own: Own, task: Task, source: Source, host: Host) -> None:
    """Raises `RefusedError` unless the user trusts exactly these bytes."""
    from runner.store.trust import is_trusted  # for those alone that choose the repository's

    name, digest = repository_of(task, source), digest_of(own.data)
    if not is_trusted(host.trust, repository=name, what="policy", digest=digest):
        raise RefusedError(
            f"The policy that {source.shown} brings in {PLACE} is not trusted as it stands in {own.commit[:12]}.",
            hint=f"Read it and trust it: paddock trust {escape_text(shown_repo(task))}"
            + (f" --base {own.commit}" if task.base else ""),
        )


def own_policy(own: Own, host: Host) -> LoadedPolicy:
    """The repository's policy, chosen and trusted. Raises `PolicyError`."""
    from runner.store.policy_bounds import load_of_commit

    return replace(load_of_commit(PLACE, own.data, own.commit, home=host.home), name=OWN)


def within_bounds(loaded: LoadedPolicy, task: Task, api: ModelApi | None, host: Host, own: Own | None) -> LoadedPolicy:
    """The policy within all that bounds it. Raises `RefusedError` for a bound that cannot be relied upon or kept."""
    for bound in bounds_of(task, host, own):
        refuse_unknown_groups(bound.loaded.policy.network, bound.shown)
        loaded = _within(loaded, task, api, bound)
    return loaded


def bounds_of(task: Task, host: Host, own: Own | None) -> tuple[Bound, ...]:
    """The repository's policy, unless it is the chosen one, and the ceilings. Raises `RefusedError`."""
    if not host.ceilings and own is None:
        return ()
    from runner.store.policy_bounds import bound_of_commit, load_ceiling

    bounds = []
    if own is not None and task.policy != OWN:
        try:
            bounds.append(bound_of_commit(PLACE, own.data, own.commit, home=host.home))
        except PolicyError as error:
            raise PolicyError(
                f"The repository's own policy, as it stands in {own.commit[:12]}, cannot be used:\n{error.message}",
                hint=WAY_OUT,
            ) from error
    return (*bounds, *(load_ceiling(path, home=host.home) for path in host.ceilings))


def _within(loaded: LoadedPolicy, task: Task, api: ModelApi | None, bound: Bound) -> LoadedPolicy:
    from runner.store.policy_bounds import tighten

    way_out = WAY_OUT if bound.of_repository else "Ask whoever set this bound."
    if bound.of_repository and api and "network.mode" in bound.keys:
        bound = _with_model(bound, api)
    tightened = tighten(loaded, bound, shipped_groups())
    if task.observe and tightened.policy.network.mode != "open":
        raise RefusedError(f"--observe opens the network, which {bound.shown} does not allow.", hint=way_out)
    if api and not reaches(tightened.policy, api):
        raise RefusedError(f"{bound.shown} does not let the agent reach its model, at {api.host}.", hint=way_out)
    return tightened


def _with_model(bound: Bound, api: ModelApi) -> Bound:
    """An agent's model is always reached: a repository that does not list it says nothing about that.

    Raises `PolicyError` for one that denies it.
    """
    try:
        policy = with_api(bound.loaded.policy, api)
    except PolicyError as error:
        raise PolicyError(f"{bound.shown}: {error.message}", hint=WAY_OUT) from error
    return replace(bound, loaded=replace(bound.loaded, policy=policy))


def reaches(policy: Policy, api: ModelApi) -> bool:
    """Whether the way to the model is still there."""
    if not api.api.injected:
        return api.host in policy.network.allow
    return any((each.host, each.header) == (api.host, api.header) for each in policy.network.inject)
