"""`paddock new`: makes the repository that a run then begins with."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from runner.errors import RefusedError, UsageError
from runner.escape import escape_text
from runner.model.identity import Identity
from runner.model.task import Task
from runner.repo.beginning import begin_repository, find_author
from runner.run.context import find_context
from runner.run.host import Host
from runner.settings import git_environment, variable
from runner.store.context_copy import copy_files
from runner.store.files import write_whole
from runner.store.tree import remove_tree

README = "README.md"
RESERVED = frozenset({".git"})


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A repository that was made out of nothing."""

    path: Path
    files: tuple[str, ...]
    """What its first commit holds."""
    context: tuple[str, ...]
    """What of --context is a folder, and so stays context of the run."""


def begin(name: str, prompt: str, context: Sequence[str], host: Host) -> Begun:
    """Make the folder `name` a repository whose first commit holds the files of `context`, else a README of the prompt.

    The folder must not be there, or be empty. Whatever fails, it is as before. Raises `UsageError`, `RefusedError`,
    `RepositoryError` when git does not know the user, `GitError`, `StoreError`.
    """
    if not prompt.strip():
        raise UsageError("`paddock new` needs a prompt: what is to be made?", hint='As in: paddock new NAME "a game"')
    task = Task(repo=name, prompt=prompt, context=tuple(absolute(path) for path in context))
    found = find_context(task, None, host)
    files = {name: real for name, real in found.items() if not real.is_dir()}
    if RESERVED & {name.lower() for name in files}:
        raise RefusedError("--context: a file called .git cannot be committed.", hint="Give it another name.")
    author = find_author(author_environment())
    folder = Path(absolute(name))
    with ExitStack() as undo:
        make_folder(folder, undo)
        copy_files(files, folder, owner=Identity(uid=os.geteuid(), gid=os.getegid()))
        if not files:
            write_whole(folder / README, f"# {folder.name}\n\n{prompt.strip()}\n", mode=0o644)
        begin_repository(folder, author=author, message=first_message(files))
        undo.pop_all()
    folders = (given for given, real in zip(task.context, found.values(), strict=True) if real.is_dir())
    return Begun(path=folder, files=tuple(files) or (README,), context=tuple(folders))


def make_folder(folder: Path, undo: ExitStack) -> None:
    """The empty folder; `undo` puts back what was there. Raises `UsageError`."""
    shown = escape_text(os.fsencode(folder))
    try:
        folder.mkdir()
        undo.callback(remove_tree, folder)
    except FileExistsError:
        if not folder.is_dir() or any(folder.iterdir()):
            raise UsageError(
                f"{shown} is there already and is not an empty folder.",
                hint="Choose another name; for a repository that is there, `paddock run` is right.",
            ) from None
        undo.callback(empty, folder)
    except OSError as error:
        raise UsageError(
            f"{shown} cannot be made: {error.strerror}.", hint="Make the folder above it first."
        ) from error


def empty(folder: Path) -> None:
    """Take everything out of a folder that had nothing in it."""
    for path in folder.iterdir():
        remove_tree(path)


def first_message(files: dict[str, Path]) -> str:
    """What the first commit is called."""
    return f"Begin with {', '.join(files)}" if files else "Begin with what is asked for"


def author_environment() -> dict[str, str]:
    """The user's own variables that say who makes a commit."""
    own = {name: value for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL") if (value := variable(name))}
    return {**git_environment(), **own}


def absolute(path: str) -> str:
    """Below the current folder. Links stay: they are looked at later."""
    return os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links
