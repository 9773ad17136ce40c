"""Carries files into the workspace that git ignores, as plain files: they are in no commit, going in or coming out."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from runner.errors import RepositoryError
from runner.escape import escape_text
from runner.model.identity import Identity
from runner.repo.git import run_git
from runner.repo.ignores import ignore_settings
from runner.repo.layout import settings_environment
from runner.repo.source import Source

MOST_INCLUDED = 10_000

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def include_ignored(
    source: Source, workspace: Path, globs: Sequence[str], owner: Identity, environment: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Copies the ignored files that match `globs`; returns their paths (escaped) and notices on what was not copied.

    No link is followed on either side. A file that the workspace's own `.gitignore` does not ignore is left behind:
    it would come back in a commit. Raises RepositoryError for more than 10,000 files.
    """
    found = _ignored_files(source, globs, environment)
    if len(found) > MOST_INCLUDED:
        raise RepositoryError(
            f"workspace.include matches {len(found)} files, and at most {MOST_INCLUDED} are carried along",
            hint="write narrower globs",
        )
    safe = _ignored_inside(workspace, found)
    notices = [f"Not carried along, not ignored in the workspace: {_shown(path)}" for path in found if path not in safe]
    copied = []
    for path in (path for path in found if path in safe):
        try:
            _copy(source, workspace, path, owner)
            copied.append(_shown(path))
        except OSError as error:
            notices.append(f"Not carried along, {error.strerror}: {_shown(path)}")
    if not found:
        notices.append(f"No ignored file matches workspace.include: {', '.join(globs)}")
    return tuple(copied), tuple(notices[:20])


def _ignored_files(source: Source, globs: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    said = run_git(
        [
            "ls-files",
            "-z",
            "--others",
            "--ignored",
            "--exclude-standard",
            "--",
            *(f":(top,glob){glob}" for glob in globs),
        ],
        git_dir=source.git_dir,
        work_tree=source.path,
        environment=settings_environment(ignore_settings(source, environment)),
        user=source.user(os.geteuid()),
    )
    # What ends in a slash is a repository of its own.
    return [path for path in os.fsdecode(said.stdout).split("\0") if path and not path.endswith("/")]


def _ignored_inside(workspace: Path, paths: Sequence[str]) -> set[str]:
    if not paths:
        return set()
    # The agent has not begun: this is still a repository that Paddock alone has written.
    said = run_git(
        ["check-ignore", "-z", "--stdin"],
        git_dir=workspace / ".git",
        work_tree=workspace,
        stdin=os.fsencode("".join(f"{path}\0" for path in paths)),
        check=False,
    )
    return set(os.fsdecode(said.stdout).split("\0"))


def _copy(source: Source, workspace: Path, path: str, owner: Identity) -> None:
    *folders, name = path.split("/")
    origin = _descend(source.path, folders, None)
    try:
        readable = os.open(name, _FILE, dir_fd=origin)
    finally:
        os.close(origin)
    with os.fdopen(readable, "rb") as original:
        found = os.fstat(readable)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "not a regular file")
        if os.geteuid() == 0 and found.st_uid != source.owner.uid:
            raise OSError(0, "another user's")  # root could read it, the repository's owner perhaps not
        target = _descend(workspace, folders, owner)
        try:
            _write(target, name, original, found.st_mode, owner)
        finally:
            os.close(target)


def _write(target: int, name: str, original: BinaryIO, mode: int, owner: Identity) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    written = os.open(name, flags, 0o755 if mode & stat.S_IXUSR else 0o644, dir_fd=target)
    with os.fdopen(written, "wb") as copy:
        if os.geteuid() != owner.uid:
            os.fchown(written, owner.uid, owner.gid)
        shutil.copyfileobj(original, copy)


def _descend(top: Path, folders: Sequence[str], maker: Identity | None) -> int:
    """The open directory below `top`; with `maker`, what is missing on the way is made as its property."""
    here = os.open(top, _DIRECTORY)
    for folder in folders:
        try:
            if maker is not None:
                _make(here, folder, maker)
            below = os.open(folder, _DIRECTORY, dir_fd=here)
        finally:
            os.close(here)
        here = below
    return here


def _make(parent: int, name: str, maker: Identity) -> None:
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except FileExistsError:
        return
    if os.geteuid() != maker.uid:
        os.chown(name, maker.uid, maker.gid, dir_fd=parent, follow_symlinks=False)


def _shown(path: str) -> str:
    return escape_text(os.fsencode(path))
