"""Makes the agent's repository: the base commit checked out, and of the user's repository nothing but what it may see.

Objects travel as a pack from one git process to another. There are no remotes, no hooks, no alternates and no hard
links, so that nothing the agent does can reach the user's repository.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from runner.errors import GitError, StoreError
from runner.model.identity import Identity
from runner.repo.carry import Carried, carry_changes
from runner.repo.git import GitCommand, GitOverflowError, pipe_git, run_git
from runner.repo.layout import READ_ENVIRONMENT, settings_environment
from runner.repo.source import Source

History = Literal["full", "branch", "shallow"]

OUR_BRANCHES = "refs/heads/paddock/"

# A workspace is thrown away: after a power cut it is made again, so that nobody waits for the disk.
QUICK = settings_environment([("core.fsync", "none")])


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """The agent's repository as it was before the agent began."""

    path: Path
    head_branch: str
    """The branch that is checked out, without `refs/heads/`."""
    base: str
    """The commit of the user's that the work begins at."""
    start: str
    """The commit that is checked out: the base, or on top of it the changes that were carried along."""
    refs: Mapping[str, str]
    """Every ref inside by its full name."""
    shallow: tuple[str, ...]
    """Commits whose parents are not inside."""
    index_copy: Path
    """The index as it was written, outside the workspace; same time of change as the original."""
    included: tuple[str, ...] = ()
    """Git-ignored files that were carried along."""
    notices: tuple[str, ...] = ()


def prepare_workspace(  # noqa: PLR0913 - each is a word of its own at the call
    source: Source,
    destination: Path,
    *,
    index_copy: Path,
    owner: Identity,
    history: History = "branch",
    dirty: bool = False,
    include: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    deadline: float = 900.0,
) -> Workspace:
    """Makes the repository at `destination`, an empty folder or nothing: mode 0700, and all of it `owner`'s.

    `history` says what of the user's commits is inside. `dirty` carries uncommitted, not ignored changes as a first
    commit; `include` has globs of git-ignored files to carry as they are. `environment` (HOME, XDG_CONFIG_HOME) says
    where the user's own ignore rules are. Raises RepositoryError for what cannot be had, GitError and StoreError
    when git or the disk fails. The user's repository is only read.
    """
    with _told(destination), _carried(source, destination, environment or {}, dirty=dirty) as carried:
        start = carried.commit or source.base_sha
        workspace = Workspace(
            path=destination,
            head_branch=_initial_branch(source),
            base=source.base_sha,
            start=start,
            refs={},
            shallow=_boundary(source, history),
            index_copy=index_copy,
            notices=(*_notices(source), *carried.notices),
        )
        workspace = replace(workspace, refs=_refs(source, workspace, history))
        _write_skeleton(workspace, source)
        _transfer(source, workspace, carried, history, deadline)
        workspace = _keep_real_boundary(workspace, history)
        _write_refs(workspace)
        _check_out(workspace, deadline)
        _give(workspace, owner, deadline)
        _keep_index(workspace)
        return _include(source, workspace, owner, include, environment or {})


@contextmanager
def _told(destination: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"cannot make the workspace {destination}: {error.strerror}", hint="see whether the disk is full"
        ) from error


@contextmanager
def _carried(source: Source, destination: Path, environment: Mapping[str, str], *, dirty: bool) -> Iterator[Carried]:
    if not dirty:
        yield Carried()
        return
    with carry_changes(source, destination.parent, environment) as carried:
        yield carried


def _initial_branch(source: Source) -> str:
    """The base's own name; else `work`, or what is free of it: `work-2`."""
    if source.base_branch:
        return source.base_branch
    number, name = 1, "work"
    while any(ref == f"refs/heads/{name}" or ref.startswith(f"refs/heads/{name}/") for ref in source.branches):
        number += 1
        name = f"work-{number}"
    return name


def _refs(source: Source, workspace: Workspace, history: History) -> dict[str, str]:
    refs: dict[str, str] = {}
    if history == "full":
        refs = {ref: sha for ref, sha in source.branches.items() if not ref.startswith(OUR_BRANCHES)}
        refs |= source.tags
    return {**refs, f"refs/heads/{workspace.head_branch}": workspace.start}


def _boundary(source: Source, history: History) -> tuple[str, ...]:
    if history == "shallow":
        return () if source.base_is_root and source.base_sha not in source.shallow else (source.base_sha,)
    return source.shallow


def _notices(source: Source) -> Iterator[str]:
    if source.has_submodules:
        yield "The repository has submodules: their folders are empty in the workspace."
    if source.has_lfs:
        yield "The repository uses Git LFS: the workspace has pointers in place of the large files."


def _write_skeleton(workspace: Workspace, source: Source) -> None:
    """What `git init` would make, without its hooks, templates and guesses about the file system."""
    if workspace.path.is_symlink() or (workspace.path.is_dir() and any(workspace.path.iterdir())):
        raise FileExistsError(errno.EEXIST, "there is something in it")
    workspace.path.mkdir(exist_ok=True)
    workspace.path.chmod(0o700)
    dot_git = workspace.path / ".git"
    for folder in ("", "info", "objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/tags"):
        (dot_git / folder).mkdir()
    version = 0 if source.object_format == "sha1" else 1
    lines = [
        "[core]",
        f"\trepositoryformatversion = {version}",
        "\tfilemode = true",
        "\tbare = false",
        "\tlogallrefupdates = true",
    ]
    if version:
        lines += ["[extensions]", f"\tobjectformat = {source.object_format}"]
    _write(dot_git / "config", lines)
    _write(dot_git / "HEAD", [f"ref: refs/heads/{workspace.head_branch}"])


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_bytes(os.fsencode("".join(f"{line}\n" for line in lines)))


def _transfer(source: Source, workspace: Workspace, carried: Carried, history: History, deadline: float) -> None:
    """Packs what is reachable, and nothing else, from one repository into the other."""
    cuts = [f"--shallow {sha}" for sha in workspace.shallow] if history == "shallow" else []
    wanted = [*cuts, *sorted({workspace.start, *workspace.refs.values()})]
    producer = GitCommand(
        argv=("pack-objects", "--revs", "--stdout", "--delta-base-offset", "-q"),
        git_dir=source.git_dir,
        stdin="".join(f"{line}\n" for line in wanted).encode(),
        environment={**READ_ENVIRONMENT, **carried.environment},
        user=source.user(os.geteuid()),
    )
    consumer = GitCommand(argv=("index-pack", "--stdin"), git_dir=workspace.path / ".git", environment=QUICK)
    try:
        pipe_git(producer, consumer, deadline=deadline)
    except GitOverflowError:
        raise
    except GitError as error:
        raise GitError(
            f"the history of {source.shown} cannot be copied: {error.message}",
            hint=f"see whether it is complete: git -C {source.shown} fsck --connectivity-only",
        ) from error


def _keep_real_boundary(workspace: Workspace, history: History) -> Workspace:
    """Of a shallow source's boundary only the commits that are inside: the others may be of another branch."""
    boundary = workspace.shallow
    if boundary and history != "shallow":
        asked = "".join(f"{sha}\n" for sha in boundary).encode()
        said = run_git(["cat-file", "--batch-check"], git_dir=workspace.path / ".git", stdin=asked).stdout
        inside = {line.split(b" ")[0].decode() for line in said.splitlines() if line.split(b" ")[1:2] == [b"commit"]}
        boundary = tuple(sha for sha in boundary if sha in inside)
    if boundary:
        _write(workspace.path / ".git" / "shallow", sorted(boundary))
    return replace(workspace, shallow=boundary)


def _write_refs(workspace: Workspace) -> None:
    """As `git pack-refs` writes them: GitPython, and whoever works with it, reads no other header than git's own."""
    names = sorted(workspace.refs, key=os.fsencode)
    tagged = any(name.startswith("refs/tags/") for name in names)
    header = "# pack-refs with: sorted " if tagged else "# pack-refs with: peeled fully-peeled sorted "
    dot_git = workspace.path / ".git"
    _write(dot_git / "packed-refs", [header, *(f"{workspace.refs[name]} {name}" for name in names)])
    if tagged:  # git alone knows what an annotated tag stands for
        run_git(["pack-refs", "--all"], git_dir=dot_git, environment=QUICK)


def _check_out(workspace: Workspace, deadline: float) -> None:
    """Writes index and files in one process. No filter is configured, so that no program runs."""
    dot_git = workspace.path / ".git"
    argv = ["read-tree", "--reset", "-u", workspace.start]
    run_git(argv, git_dir=dot_git, work_tree=workspace.path, environment=QUICK, deadline=deadline)


def _give(workspace: Workspace, owner: Identity, deadline: float) -> None:
    """Makes all of it the agent's, when that is somebody else.

    git cannot do the work as the agent's user: it insists on absolute paths, and these may begin in root's home. The
    index notes owners and times of change, so it is brought up to date; else the first `git status` would read all
    files again.
    """
    if os.geteuid() == owner.uid:
        return
    for folder, folders, files in os.walk(workspace.path):
        for name in (*folders, *files):
            os.chown(f"{folder}/{name}", owner.uid, owner.gid, follow_symlinks=False)
    dot_git = workspace.path / ".git"
    argv = ["update-index", "-q", "--refresh"]
    run_git(argv, git_dir=dot_git, work_tree=workspace.path, environment=QUICK, deadline=deadline)
    os.chown(dot_git / "index", owner.uid, owner.gid)
    os.chown(workspace.path, owner.uid, owner.gid)


def _keep_index(workspace: Workspace) -> None:
    # git tells by the index's own time which entries it has to look at again, so the copy keeps it.
    workspace.index_copy.parent.mkdir(mode=0o755, exist_ok=True)
    shutil.copyfile(workspace.path / ".git" / "index", workspace.index_copy)
    shutil.copystat(workspace.path / ".git" / "index", workspace.index_copy)
    workspace.index_copy.chmod(0o644)


def _include(
    source: Source, workspace: Workspace, owner: Identity, globs: Sequence[str], environment: Mapping[str, str]
) -> Workspace:
    if not globs:
        return workspace
    if source.bare:
        notice = "The repository is bare: there are no ignored files to carry along."
        return replace(workspace, notices=(*workspace.notices, notice))
    from runner.repo.include import include_ignored  # few policies want any

    carried, notices = include_ignored(source, workspace.path, globs, owner, environment)
    return replace(workspace, included=carried, notices=(*workspace.notices, *notices))
