"""What an agent may read beside its repository: copies at /context, clones of other repositories at /beside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from runner.errors import PolicyError, RefusedError, StoreError
from runner.escape import escape_text
from runner.model.identity import Identity
from runner.model.paths import BESIDE, CONTEXT, is_within
from runner.model.policy import Policy
from runner.model.spec import Mount
from runner.model.task import Task
from runner.repo.source import Source, inspect_source
from runner.repo.urls import is_url, parse_url
from runner.repo.workspace import History, prepare_workspace
from runner.run.host import Host
from runner.run.places import engine_socket
from runner.settings import git_environment
from runner.store.context_copy import context_names, copy_files, real_context
from runner.store.runs import RunPaths, run_paths

_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 64


def mounts_for(task: Task, paths: RunPaths) -> tuple[Mount, ...]:
    """What the sandbox sees of it, read-only. Pure: whether anything is there is not looked up."""
    context = (Mount(source=str(paths.context), target=CONTEXT),) if task.context or task.earlier else ()
    beside = (Mount(source=str(paths.beside), target=BESIDE),) if task.beside else ()
    return context + beside


def refuse_collisions(task: Task, policy: Policy) -> None:
    """Raises `RefusedError` where a mount or a cache of the policy stands in the way."""
    wanted = {"--context": CONTEXT if task.context or task.earlier else "", "--with": BESIDE if task.beside else ""}
    for option, place in wanted.items():
        for target in (*(mount.target for mount in policy.mounts), *(cache.target for cache in policy.caches)):
            if place and (is_within(target, place) or is_within(place, target)):
                raise RefusedError(
                    f"{option} is seen at {place}, and the policy puts something else at {target}.",
                    hint=f"Choose another target in the policy, or leave {option} out.",
                )


def find_context(task: Task, source: Source | None, host: Host) -> dict[str, Path]:
    """By their names in /context, where the files and folders that the user gave along really are.

    What no mount may show is refused as well. Raises `RefusedError`; nothing is opened.
    """
    found = dict(zip(context_names(task.context), map(real_context, task.context), strict=True))
    for given, real in zip(task.context, found.values(), strict=True):
        _refuse_guarded("--context", given, real, source.common_dir if source else None, host)
    return found | find_earlier(task, host)


def find_earlier(task: Task, host: Host) -> dict[str, Path]:
    """What earlier runs left to read, by its names in /context: `plan.answer.md`, `plan.diff.patch`, and so on."""
    found = {}
    for name, run in task.earlier.items():
        paths = run_paths(host.settings.state_dir, run)
        for path in (paths.answer, paths.diff, paths.bundle, paths.artifacts):
            if path.exists():
                found[f"{name}.{path.name}"] = path
    return found


def bare_clone(url: str, host: Host) -> Path:
    """The clone of a URL, made or brought up to date unless that was done already. Raises as `clone_source` does."""
    if known := host.clones.get(parse_url(url).url):
        return known
    from runner.repo.clone import clone_source  # for URLs alone

    return clone_source(url, host.settings.state_dir, environment=git_environment())


def copy_context(context: Mapping[str, Path], paths: RunPaths, identity: Identity) -> None:
    """Copy them into the run's directory. Raises `RefusedError` and `StoreError`."""
    if context:
        _make_readable_folder(paths.context)
        copy_files(context, paths.context, owner=identity)


def names_beside(task: Task) -> dict[str, str]:
    """Each repository's name in /beside, and its URL without credentials; empty for a path.

    Raises `RepositoryError` for a URL that cannot be used.
    """
    names: dict[str, str] = {}
    for place in task.beside:
        url = parse_url(place).url if is_url(place) else ""
        stem = _slug(url or place)
        name, number = stem, 1
        while name in names:
            number += 1
            name = f"{stem}-{number}"
        names[name] = url
    return names


def find_beside(task: Task, host: Host) -> dict[str, Source]:
    """The repositories by their names in /beside, URLs cloned or fetched first. Raises `RefusedError`, `GitError`."""
    found = {}
    for name, place in zip(names_beside(task), task.beside, strict=True):
        path = place
        if is_url(place):
            path = str(bare_clone(place, host))
        try:
            source = inspect_source(path, effective_uid=host.user.uid)
        except RefusedError as error:
            raise RefusedError(f"--with: {error.message}", hint=error.hint) from error
        if not is_url(place):
            _refuse_guarded("--with", place, source.path, None, host)
        found[name] = source
    return found


def open_beside(
    beside: Mapping[str, Source], paths: RunPaths, identity: Identity, *, history: History
) -> tuple[str, ...]:
    """Clone each as the workspace is cloned: without remotes, hooks and settings. What has to be told comes back.

    Raises what `prepare_workspace` raises.
    """
    notices: list[str] = []
    index = paths.directory / "beside.index"
    if beside:
        _make_readable_folder(paths.beside)
    for name, source in beside.items():
        made = prepare_workspace(source, paths.beside / name, index_copy=index, owner=identity, history=history)
        index.unlink()
        notices += (f"{BESIDE}/{name}: {notice}" for notice in made.notices)
    return tuple(notices)


def _make_readable_folder(folder: Path) -> None:
    try:
        folder.mkdir()
        folder.chmod(0o755)  # whatever the umask takes away
    except OSError as error:
        raise StoreError(f"{escape_text(str(folder))} cannot be made: {error.strerror}") from error


def _refuse_guarded(option: str, given: str, real: Path, git_dir: Path | None, host: Host) -> None:
    from runner.store.mount_sources import refuse_guarded  # for those alone that give something along

    try:
        refuse_guarded(
            given,
            real,
            home=host.home,
            state_dir=host.settings.state_dir,
            source_git_dir=git_dir,
            engine_socket=engine_socket(host.settings.engine),
        )
    except PolicyError as error:
        why = error.message.removeprefix("mount source ")
        raise RefusedError(f"{option}: {why}", hint="Give a folder or file of its own instead.") from error


def _slug(place: str) -> str:
    """The last part of a path or URL, as a plain file name."""
    last = re.split(r"[/:]", place.rstrip("/"))[-1].removesuffix(".git")
    return _ODD.sub("-", escape_text(last)).strip(".-")[:_LONGEST_NAME] or "repository"
