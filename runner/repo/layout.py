"""Finds the repository around a path, whose it is, and where its parts stand."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import RepositoryError
from runner.escape import escape_text
from runner.model.identity import Identity
from runner.repo.git import GitOutput, run_git

# `info/grafts` would hide commits from us that the workspace then lacks.
READ_ENVIRONMENT = {"GIT_GRAFT_FILE": "/dev/null"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """The directories of a repository."""

    path: Path
    git_dir: Path
    common_dir: Path
    bare: bool
    shallow: bool
    object_format: str


def existing_directory(path: str) -> Path:
    """The directory at `path`, links resolved; raises RepositoryError."""
    try:
        place = Path(path).resolve(strict=True)
        if not path or not stat.S_ISDIR(place.stat().st_mode):
            raise RepositoryError(f"{shown(path) or 'the repository'} is not a directory")
    except FileNotFoundError as error:
        raise RepositoryError(f"there is no {shown(path)}", hint="give a repository's path or URL") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise RepositoryError(f"{shown(path)} cannot be opened: {error}") from error
    return place


def owner_of(place: Path, effective_uid: int) -> Identity:
    """Who owns the repository that `place` is in, told by the same marks that git goes by."""
    for directory in (place, *place.parents):
        try:
            mark = _mark(directory)
        except OSError as error:
            raise unreadable(place, error.strerror or "it cannot be read") from error
        if mark is None:
            continue
        owner = Identity(uid=mark.st_uid, gid=mark.st_gid)
        if effective_uid not in {0, owner.uid}:
            raise RepositoryError(
                f"{shown(directory)} belongs to another user (uid {owner.uid}); git does not work in it for you",
                hint="make a clone of your own and use that: git clone --no-local PATH",
            )
        return owner
    raise RepositoryError(
        f"{shown(place)} is not in a git repository", hint="give a repository's path or URL, or make one: git init"
    )


def _mark(directory: Path) -> os.stat_result | None:
    try:
        return (directory / ".git").stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    if all((directory / name).exists() for name in ("HEAD", "objects", "refs")):
        return directory.stat()
    return None


def git_user(owner: Identity, effective_uid: int) -> Identity | None:
    """Whom git has to become to work for `owner`; None if that is who we are."""
    return None if owner.uid == effective_uid else owner


def find_layout(place: Path, user: Identity | None) -> Layout:
    """The repository that `place` is in, as git sees it; raises RepositoryError."""
    wanted = ("git-dir", "git-common-dir", "is-bare-repository", "is-inside-work-tree", "is-shallow-repository")
    options = [f"--{name}" for name in (*wanted, "show-object-format", "show-prefix")]
    said = run_git(
        ["-C", str(place), "rev-parse", "--path-format=absolute", *options],
        environment=READ_ENVIRONMENT,
        user=user,
        check=False,
    )
    lines = os.fsdecode(said.stdout).split("\n")
    if said.exit_code != 0 or len(lines) != len(options) + 1:
        raise unreadable(place, reason_of(said))
    git_dir, common_dir, bare, inside, shallow, object_format, prefix = lines[:-1]
    if bare != "true" and inside != "true":
        raise RepositoryError(
            f"{shown(place)} is inside a repository's .git", hint="give the directory that the .git stands in"
        )
    top = place if bare == "true" else Path(str(place).removesuffix(f"/{prefix}".rstrip("/")) or "/")
    return Layout(
        path=Path(git_dir) if bare == "true" else top,
        git_dir=Path(git_dir),
        common_dir=Path(common_dir),
        bare=bare == "true",
        shallow=shallow == "true",
        object_format=object_format,
    )


def settings_environment(settings: Sequence[tuple[str, str]], first: int = 0) -> dict[str, str]:
    """Settings of git as variables, numbered from `first` on: unlike `-c`, they show in no list of processes."""
    named = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (key, value) in enumerate(settings, first):
        named |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return named


def reason_of(said: GitOutput) -> str:
    """The first line of what git complained about."""
    lines = [line.removeprefix("fatal: ").removeprefix("error: ") for line in said.stderr.splitlines() if line.strip()]
    return lines[0][:500] if lines else f"git ended with {said.exit_code}"


def unreadable(path: Path, reason: str) -> RepositoryError:
    """The error for a repository that git cannot work with."""
    return RepositoryError(
        f"{shown(path)} cannot be used as a git repository: {reason}",
        hint=f"see what git says: git -C {shown(path)} status",
    )


def shown(text: str | Path) -> str:
    """A path or a name as printable text."""
    return escape_text(os.fsencode(text))
