"""Pushes one branch to a remote: a commit that the gates have seen, under a name that is nobody else's.

git runs in the user's own repository, or in a bare clone of ours, with the user's own configuration and credentials:
they are handed to git alone, in its environment. Hooks are off, as for a merge: `core.hooksPath` may lead into the
tree, which a branch changes. Nothing is forced, and nothing but this one name is touched.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.errors import GitError, RepositoryError
from runner.escape import escape_text
from runner.model.base import Record
from runner.repo.clone import configuration_files, remote_environment
from runner.repo.git import GitOutput, run_git
from runner.repo.urls import RemoteUrl, is_url, parse_url

SECONDS = 600.0
ASK_SECONDS = 60.0

REMOTE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", re.ASCII)
BRANCH_NAME = re.compile(
    r"(?!refs/)(?=[^/]+/)(?!.*(\.\.|//|/\.|\./|\.lock(/|\Z)|[./]\Z))[A-Za-z0-9][A-Za-z0-9._/-]{0,199}"
)
"""Names for branches of ours: narrower than git's own rules, and always with a folder."""

OPTIONS = (
    "--porcelain",
    "--no-verify",
    "--no-signed",
    "--no-follow-tags",
    "--recurse-submodules=no",
    "--receive-pack=git-receive-pack",
)
LIST = ("ls-remote", "--upload-pack=git-upload-pack")
"""Programs for the other end are named: a repository's configuration may have others, which a path runs here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """Where to push to, and from where."""

    address: RemoteUrl
    git_dir: Path
    environment: Mapping[str, str]

    @property
    def shown(self) -> str:
        """Where it is, as printable text."""
        return escape_text(self.address.url)


class Standing(Record):
    """What a remote has."""

    default: str
    """Its default branch, without `refs/heads/`; empty where it has none."""
    branches: dict[str, str]
    """Those that were asked for and are there, with their commits."""


def remote_of_url(url: str, git_dir: Path, users: Mapping[str, str]) -> Remote:
    """A URL itself. Raises `RepositoryError` for one that is not pushed to."""
    return _remote(parse_url(url), git_dir, users)


def remote_of_repository(name: str, path: Path, git_dir: Path, users: Mapping[str, str]) -> Remote:
    """A remote that a repository's configuration names. Raises `RepositoryError` when there is none, or several."""
    if not REMOTE_NAME.fullmatch(name):
        raise RepositoryError(f"{escape_text(name)} is no name of a remote", hint="as in --remote origin")
    urls = _configured(git_dir, f"remote.{name}.pushurl") or _configured(git_dir, f"remote.{name}.url")
    if not urls:
        raise RepositoryError(
            f"{escape_text(str(path))} has no remote {name}", hint=f"add one: git remote add {name} URL"
        )
    if len(urls) > 1:
        raise RepositoryError(f"the remote {name} has {len(urls)} URLs", hint="name one that has a single URL")
    if is_url(urls[0]):
        return _remote(parse_url(urls[0]), git_dir, users)
    # git would take a relative path from where it stands, which here is no work tree.
    return _remote(RemoteUrl(url=os.path.abspath(path / urls[0])), git_dir, users)  # noqa: PTH100 - links stay


def rewritten(remote: Remote) -> str:
    """The URL as the user's `insteadOf` rules have it; nobody is contacted."""
    said = _told(remote, ["ls-remote", "--get-url", "--", remote.address.url], ASK_SECONDS)
    return remote.address.mask(os.fsdecode(said.stdout).strip())


def standing_of(remote: Remote, names: set[str]) -> Standing:
    """Ask a remote for its default branch, and for some branches. Raises `RepositoryError`, `GitError`."""
    wanted = [f"refs/heads/{name}" for name in sorted(names)]
    argv = [*LIST, "--symref", "--", remote.address.url, "HEAD", *wanted]
    said = _told(remote, argv, ASK_SECONDS)
    if said.exit_code != 0:
        raise RepositoryError(
            f"{remote.shown} cannot be asked: {_reason(remote, said)}",
            hint=f"see whether this works: git ls-remote {remote.shown}",
        )
    pairs = [line.split("\t") for line in os.fsdecode(said.stdout).splitlines() if line.count("\t") == 1]
    heads = [
        left.removeprefix("ref: refs/heads/") for left, name in pairs if name == "HEAD" and left.startswith("ref: ")
    ]
    found = {name.removeprefix("refs/heads/"): left for left, name in pairs if name in wanted}
    if not heads and not _told(remote, [*LIST, "--heads", "--", remote.address.url], ASK_SECONDS).stdout:
        raise RepositoryError(
            f"{remote.shown} has no branches yet, so that ours would be its default one",
            hint="push the branch that it is to have first",
        )
    return Standing(default=heads[0] if heads else "", branches=found)


def push_commit(remote: Remote, commit: str, name: str) -> str:
    """Make the branch `name` of the remote be at `commit`: `new`, or `moved forward`.

    Raises `RepositoryError` when the remote or git refuses, a branch that has other commits above all.
    """
    if not BRANCH_NAME.fullmatch(name):
        raise RepositoryError(f"{escape_text(name)} is no name for a branch of ours", hint="as in paddock/fix")
    argv = ["push", *OPTIONS, "--", remote.address.url, f"{commit}:refs/heads/{name}"]
    said = _told(remote, argv, SECONDS)
    if said.exit_code != 0:
        hint = f"{name} has other commits there; choose another name with --branch." if _has_others(said) else ""
        raise RepositoryError(f"{name} cannot be pushed to {remote.shown}: {_reason(remote, said)}", hint=hint)
    return "new" if b"\n*\t" in b"\n" + said.stdout else "moved forward"


def _remote(address: RemoteUrl, git_dir: Path, users: Mapping[str, str]) -> Remote:
    """git takes the user's own configuration as weaker than the repository's, where there is one file of it."""
    files = [path for path in configuration_files(users) if Path(path).exists()]
    if len(files) <= 1:
        users = {**users, "GIT_CONFIG_GLOBAL": next(iter(files), "/dev/null")}
    environment = remote_environment(address, users)
    if not _configured(git_dir, "core.sshCommand", environment):
        environment["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"  # nobody is there to answer
    return Remote(address=address, git_dir=git_dir, environment=environment)


def _configured(git_dir: Path, key: str, environment: Mapping[str, str] | None = None) -> list[str]:
    said = run_git(["config", "--null", "--get-all", key], git_dir=git_dir, environment=environment, check=False)
    return [value for value in os.fsdecode(said.stdout).split("\0") if value]


def _told(remote: Remote, argv: list[str], deadline: float) -> GitOutput:
    try:
        return run_git(argv, git_dir=remote.git_dir, environment=remote.environment, deadline=deadline, check=False)
    except GitError as error:
        raise GitError(remote.address.mask(error.message), hint=remote.address.mask(error.hint)) from None


def _has_others(said: GitOutput) -> bool:
    return any(word in said.stdout for word in (b"(non-fast-forward)", b"(fetch first)"))


def _reason(remote: Remote, said: GitOutput) -> str:
    """What the remote said, which may be anything: the line that refuses, then what else there is."""
    refused = [line.rpartition("\t")[2] for line in os.fsdecode(said.stdout).splitlines() if line.startswith("!")]
    lines = [
        line.strip()
        for line in said.stderr.splitlines()
        if line.strip() and not line.startswith(("hint:", "To ", "error: failed to push"))
    ]
    return escape_text(remote.address.mask(" | ".join([*refused, *lines][:4])))[:1000] or "git said nothing"
