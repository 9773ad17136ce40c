"""What a run's containers see of the host, made before they start: the workspace, and what lies beside it."""

from __future__ import annotations

import os

from runner.model.events import Phase
from runner.plan import workspace_fits
from runner.repo.workspace import Workspace, prepare_workspace
from runner.run.attempt import Attempt
from runner.run.context import copy_context, open_beside
from runner.run.footprint import remember_lent
from runner.run.given import write_given
from runner.run.launch import Launch
from runner.run.places import ready_programs
from runner.run.recovery_record import write_recovery
from runner.sandbox.etc_files import sandbox_etc
from runner.settings import git_environment
from runner.store.files import make_folder, write_whole
from runner.store.tree import measure_tree


def open_workspace(attempt: Attempt, launch: Launch) -> Workspace | None:
    """The throw-away repository, and the folders that the containers see; `None` when it was cancelled meanwhile.

    The sandbox is made beside it as soon as all that it mounts is there, and not started.
    """
    paths, prepared, cancellation = attempt.paths, attempt.prepared, attempt.host.cancellation
    with attempt.journal.phase(Phase.WORKSPACE):
        try:
            with cancellation.interrupting():
                make_places(attempt)
            launch.make()
            with cancellation.interrupting():
                if cancellation.requested:  # in between
                    return None
                workspace = attempt.workspace = make_workspace(attempt)
        except KeyboardInterrupt:
            return None
        size = measure_tree(paths.workspace, enough=prepared.policy.limits.files)
        workspace_fits(size.bytes, size.entries, prepared.policy.limits)
        for notice in workspace.notices:
            attempt.journal.notice(notice)
        remember_lent(attempt.spec, paths, prepared.policy.limits)
    write_recovery(attempt, workspace)
    return workspace


def make_places(attempt: Attempt) -> None:
    """Everything that the sandbox mounts; the repository's folder is still empty."""
    paths = attempt.paths
    paths.workspace.mkdir(mode=0o700)
    write_given(attempt)
    bring_along(attempt)
    ready_programs(attempt.host.settings)
    for folder in (paths.control, paths.etc):
        make_folder(folder, 0o755)
    for name, text in sandbox_etc(attempt.prepared.identity).items():
        write_whole(paths.etc / name, text, mode=0o644)
    open_caches(attempt)


def bring_along(attempt: Attempt) -> None:
    """What the agent may read beside its repository."""
    prepared, paths = attempt.prepared, attempt.paths
    copy_context(prepared.context, paths, prepared.identity)
    history = prepared.policy.workspace.history
    for notice in open_beside(prepared.beside, paths, prepared.identity, history=history):
        attempt.journal.notice(notice)


def make_workspace(attempt: Attempt) -> Workspace:
    """The throw-away repository, as the policy says."""
    prepared, options = attempt.prepared, attempt.prepared.policy.workspace
    return prepare_workspace(
        prepared.source,
        attempt.paths.workspace,
        index_copy=attempt.paths.index_copy,
        history=options.history,
        dirty=prepared.task.dirty,
        include=options.include,
        owner=prepared.identity,
        environment=git_environment(),
    )


def open_caches(attempt: Attempt) -> None:
    """The caches' folders, owned by the agent."""
    caches = {cache.target for cache in attempt.prepared.policy.caches}
    for mount in attempt.prepared.mounts:
        if mount.target in caches and not os.path.isdir(mount.source):  # noqa: PTH112 - a plain string of the spec
            os.makedirs(mount.source, mode=0o700)  # noqa: PTH103
            if os.geteuid() == 0:
                os.chown(mount.source, attempt.prepared.identity.uid, attempt.prepared.identity.gid)
