"""Carries the user's uncommitted changes into the workspace, as a commit that the user's repository never sees.

The commit is made from a copy of the index and into an object directory of its own; index, work tree and refs of the
user are only read.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runner.errors import GitError, RepositoryError
from runner.escape import escape_text
from runner.repo.git import run_git
from runner.repo.ignores import ignore_settings
from runner.repo.layout import READ_ENVIRONMENT, settings_environment
from runner.repo.source import Source

MESSAGE = "paddock: uncommitted changes carried along"

_IDENTITY = {
    "GIT_AUTHOR_NAME": "paddock",
    "GIT_AUTHOR_EMAIL": "paddock@localhost",
    "GIT_COMMITTER_NAME": "paddock",
    "GIT_COMMITTER_EMAIL": "paddock@localhost",
}
_SETTINGS = [
    # Else git would write a part of the index beside the user's own.
    ("core.splitIndex", "false"),
    ("core.untrackedCache", "false"),
    ("core.safecrlf", "false"),
    ("core.fsync", "none"),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """The commit that holds the changes; empty if there were none."""

    commit: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    """With it, git in the source finds the commit's objects."""
    notices: tuple[str, ...] = ()


@contextmanager
def carry_changes(source: Source, near: Path, environment: Mapping[str, str]) -> Iterator[Carried]:
    """Commits the uncommitted, not ignored changes of the work tree on top of the base, for as long as the scope lasts.

    Raises RepositoryError where there is no work tree, where the base is not what the changes were made on, and in
    the middle of a conflict. `near` is where temporary files may be.
    """
    _refuse(source)
    with _scratch(source, near) as scratch:
        _copy_index(source, scratch)
        work = _Work(source, scratch, ignore_settings(source, environment))
        skipped, notices = work.skipped()
        work.add_all(skipped)
        yield Carried(commit=work.commit(), environment=work.object_environment, notices=tuple(notices))


def _refuse(source: Source) -> None:
    if source.bare:
        raise RepositoryError(
            f"{source.shown} is bare: there are no uncommitted changes to carry along", hint="leave out --dirty"
        )
    if source.base_sha != source.head_sha:
        raise RepositoryError(
            "uncommitted changes belong on top of HEAD, and the base is another commit",
            hint="leave out --base or --dirty",
        )


@contextmanager
def _scratch(source: Source, near: Path) -> Iterator[Path]:
    """A private directory for the user that git runs as; `near` may be out of that user's reach."""
    user = source.user(os.geteuid())
    scratch = Path(tempfile.mkdtemp(prefix="paddock-", dir=None if user else near))
    try:
        (scratch / "objects").mkdir(mode=0o700)
        if user:
            for path in (scratch / "objects", scratch):
                os.chown(path, user.uid, user.gid)
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _copy_index(source: Source, scratch: Path) -> None:
    """Copies the index with its time of change, by which git tells the entries that it has to look at again."""
    try:
        original = os.open(source.git_dir / "index", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RepositoryError(f"the index of {source.shown} cannot be read: {error.strerror}") from error
    with os.fdopen(original, "rb") as index:
        found = os.fstat(original)
        if not stat.S_ISREG(found.st_mode):
            raise RepositoryError(f"the index of {source.shown} is not a regular file")
        with (scratch / "index").open("xb") as copy:
            shutil.copyfileobj(index, copy)
    os.utime(scratch / "index", ns=(found.st_atime_ns, found.st_mtime_ns))
    if source.user(os.geteuid()):
        os.chown(scratch / "index", source.owner.uid, source.owner.gid)


class _Work:
    """git in the user's work tree, with an index and an object directory that are not the user's."""

    def __init__(self, source: Source, scratch: Path, ignores: Sequence[tuple[str, str]]) -> None:
        self._source = source
        self.object_environment = {
            "GIT_OBJECT_DIRECTORY": str(scratch / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": _quoted(source.object_dirs[0]),
        }
        self._environment = {
            **READ_ENVIRONMENT,
            **self.object_environment,
            **settings_environment([*_SETTINGS, *ignores]),
            **_IDENTITY,
            "GIT_INDEX_FILE": str(scratch / "index"),
        }

    def skipped(self) -> tuple[list[str], list[str]]:
        """Paths that are not carried along, and why; raises RepositoryError in the middle of a conflict."""
        listed = self._git("ls-files", "-z", "-t", "--unmerged", "--others", "--exclude-standard").split("\0")
        if any(line.startswith("M ") for line in listed):
            raise RepositoryError(
                f"{self._source.shown} is in the middle of a conflict", hint="resolve it, or leave out --dirty"
            )
        untracked = [line.removeprefix("? ") for line in listed if line]
        nested = [path for path in untracked if path.endswith("/")]
        filtered = self._filtered([path for path in untracked if not path.endswith("/")])
        notices = [f"Not carried along, a repository of its own: {_named(nested)}"] if nested else []
        notices += [f"Not carried along, stored through a git filter: {_named(filtered)}"] if filtered else []
        return [*nested, *filtered], notices

    def _filtered(self, untracked: list[str]) -> list[str]:
        """Changed files that only a program could store as the repository wants them (Git LFS, git-crypt)."""
        changed = self._git("diff-files", "-z", "--name-only", "--diff-filter=d", "--ignore-submodules").split("\0")
        paths = [path for path in (*changed, *untracked) if path]
        if not paths:
            return []
        said = self._git("check-attr", "-z", "--stdin", "filter", stdin="".join(f"{path}\0" for path in paths))
        words = said.split("\0")[:-1]
        return [
            path for path, value in zip(words[::3], words[2::3], strict=True) if value not in {"unspecified", "unset"}
        ]

    def add_all(self, skipped: Sequence[str]) -> None:
        """Puts the work tree as it stands into the index."""
        specs = [":(top)", *(f":(top,exclude,literal){path}" for path in skipped)]
        options = ("--all", "--sparse", "--pathspec-from-file=-", "--pathspec-file-nul")
        try:
            self._git("add", *options, stdin="".join(f"{spec}\0" for spec in specs))
        except GitError as error:
            raise RepositoryError(
                f"the uncommitted changes of {self._source.shown} cannot be carried along: {error.message}",
                hint="leave out --dirty, or ignore the file in .gitignore",
            ) from error

    def commit(self) -> str:
        """The commit of the index on top of the base; empty if that would change nothing."""
        tree = self._git("write-tree").strip()
        if tree == self._source.base_tree:
            return ""
        return self._git("commit-tree", tree, "-p", self._source.base_sha, "-m", MESSAGE).strip()

    def _git(self, *argv: str, stdin: str | None = None) -> str:
        said = run_git(
            argv,
            git_dir=self._source.git_dir,
            work_tree=self._source.path,
            stdin=None if stdin is None else os.fsencode(stdin),
            environment=self._environment,
            user=self._source.user(os.geteuid()),
            deadline=600.0,
        )
        return os.fsdecode(said.stdout)


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return ", ".join(escape_text(os.fsencode(path)) for path in paths[:5]) + more


def _quoted(path: Path) -> str:
    """A path as one entry of a list that git separates at colons."""
    plain = {ord("\\"): "\\\\", ord('"'): '\\"'}
    text = (plain.get(byte) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}") for byte in os.fsencode(path))
    return f'"{"".join(text)}"'
