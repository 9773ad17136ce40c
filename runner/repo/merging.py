"""`paddock merge`: the one command that changes what the user has checked out, and only when asked.

git runs in the user's own repository, as the user, with hooks, submodule recursion, signing and file watchers off.
Nothing that came with the branch is started: a repository whose configuration has programs for files is refused, since
a branch chooses by its attributes which files go through them, and may bring the program itself.
"""

from __future__ import annotations

from pathlib import Path

from runner.errors import GitError, RepositoryError
from runner.escape import escape_text
from runner.model.base import Record
from runner.model.identity import Identity
from runner.repo.git import run_git

MERGE_SECONDS = 24 * 3600.0
"""A deadline kills git, and a killed merge leaves the work tree half updated: longer than any merge takes."""

PROGRAMS = r"^(filter\..*\.(clean|smudge|process)|merge\..*\.driver)$"
"""Keys of git's configuration whose values are started for files that a merge writes."""


class Merged(Record):
    """What a merge did."""

    into: str
    """The branch that was checked out."""
    how: str
    """`fast-forward`, `merge commit`, or `no change` where the branch was in it already."""
    head: str


def merge_branch(  # noqa: PLR0913 - who, where and what of one merge
    work_tree: Path, git_dir: Path, branch: str, *, home: Path, user: Identity | None, message: str
) -> Merged:
    """Merge `branch` into the checked-out one: fast-forward where that is possible, else a merge commit.

    Raises `RepositoryError` for a detached HEAD, for a tree that is not clean, for a repository that would start
    programs for files, and for conflicts, after which the repository is as it was.
    """

    identity: dict[str, str] = {}

    def git(*argv: str, check: bool = True) -> tuple[int, str, str]:
        said = run_git(
            argv,
            git_dir=git_dir,
            work_tree=work_tree,
            user=user,
            environment=identity,
            deadline=MERGE_SECONDS,
            check=check,
        )
        return said.exit_code, said.stdout.decode("utf-8", "surrogateescape").rstrip(), said.stderr

    code, into, _ = git("symbolic-ref", "--quiet", "--short", "HEAD", check=False)
    if code != 0:
        raise RepositoryError(
            "No branch is checked out (HEAD is detached).", hint="Check out the branch to merge into."
        )
    _refuse_programs(git("config", "--null", "--name-only", "--get-regexp", PROGRAMS, check=False)[1], branch)
    _refuse_dirty(git("status", "--porcelain", "-z", "--untracked-files=all", "--ignore-submodules=none")[1])
    if git("merge-base", "--is-ancestor", f"refs/heads/{branch}", "HEAD", check=False)[0] == 0:
        return Merged(into=into, how="no change", head=git("rev-parse", "HEAD")[1])
    code, _, _ = git("merge-base", "--is-ancestor", "HEAD", f"refs/heads/{branch}", check=False)
    how = "fast-forward" if code == 0 else "merge commit"
    if code != 0:
        identity = _identity(author_of(git_dir, home, user))
    mode = ["--ff-only"] if code == 0 else ["--no-ff", "--no-edit", "-m", message]
    quiet = ("merge", "--quiet", "--no-verify-signatures", "--no-gpg-sign")
    code, _, stderr = git(*quiet, *mode, f"refs/heads/{branch}", check=False)
    if code != 0:
        _abort(work_tree, git_dir, user)
        why = stderr.strip()[-500:] or "there are conflicts"
        raise RepositoryError(
            f"{escape_text(branch)} cannot be merged into {escape_text(into)}: {why}",
            hint=f"Nothing was changed. Merge by hand: git merge {branch}",
        )
    return Merged(into=into, how=how, head=git("rev-parse", "HEAD")[1])


def author_of(git_dir: Path, home: Path, user: Identity | None) -> tuple[str, str]:
    """Name and address that the user's own git configuration gives. Raises `RepositoryError` when it gives none."""
    personal = {
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "XDG_CONFIG_HOME": str(home / ".config"),
    }
    said = run_git(
        ("config", "--get-regexp", r"^user\.(name|email)$"),
        git_dir=git_dir,
        user=user,
        environment=personal,
        check=False,
    )
    pairs = dict(line.partition(" ")[::2] for line in said.stdout.decode("utf-8", "surrogateescape").splitlines())
    if {"user.name", "user.email"} - set(pairs):
        raise RepositoryError(
            "git does not know who you are, so it cannot make a merge commit.",
            hint='Tell it: git config --global user.name "Your Name"; git config --global user.email you@example.test',
        )
    return pairs["user.name"], pairs["user.email"]


def _refuse_programs(keys: str, branch: str) -> None:
    """Raises `RepositoryError` where git would start a program for files of the branch."""
    named = sorted({key for key in keys.split("\0") if key})
    if named:
        shown = ", ".join(escape_text(key) for key in named[:4])
        raise RepositoryError(
            f"The repository's configuration has programs for files ({shown}), and Paddock starts none for an agent's.",
            hint=f"Look at what .gitattributes and these programs are on the branch; then: git merge {branch}",
        )


def _refuse_dirty(status: str) -> None:
    if status:
        lines = [entry for entry in status.split("\0") if entry[2:3] == " "]
        shown = ", ".join(escape_text(line[3:]) for line in lines[:5])
        more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
        raise RepositoryError(f"The work tree is not clean: {shown}{more}.", hint="Commit or stash your changes first.")


def _abort(work_tree: Path, git_dir: Path, user: Identity | None) -> None:
    try:
        run_git(("merge", "--abort"), git_dir=git_dir, work_tree=work_tree, user=user, deadline=MERGE_SECONDS)
    except GitError:
        return  # there was no merge under way: git had refused before it changed anything


def _identity(author: tuple[str, str]) -> dict[str, str]:
    name, email = author
    roles = ("AUTHOR", "COMMITTER")
    return {f"GIT_{role}_NAME": name for role in roles} | {f"GIT_{role}_EMAIL": email for role in roles}
