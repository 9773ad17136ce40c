"""`paddock new`: a repository out of nothing, with its first commit made as the user."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from runner.errors import RepositoryError
from runner.repo.git import run_git
from runner.repo.layout import settings_environment

BRANCH = "main"


def find_author(environment: Mapping[str, str]) -> tuple[str, str]:
    """The user's name and address, as git would find them: variables first, then the user's own configuration.

    `environment` is the user's own (HOME, XDG_CONFIG_HOME, GIT_AUTHOR_NAME, GIT_AUTHOR_EMAIL). Raises
    `RepositoryError` when nothing says who the user is.
    """
    home = environment.get("HOME", "")
    xdg = environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
    files = [("include.path", path) for path in (f"{xdg}/git/config", f"{home}/.gitconfig") if Path(path).is_absolute()]
    said = run_git(
        ("config", "--includes", "-z", "--get-regexp", r"^user\.(name|email)$"),
        environment={"GIT_CONFIG_NOSYSTEM": "0", "HOME": home, **settings_environment(files)},
        check=False,
    )
    known = dict(line.partition("\n")[::2] for line in os.fsdecode(said.stdout).split("\0") if line)
    name = environment.get("GIT_AUTHOR_NAME") or known.get("user.name", "")
    address = environment.get("GIT_AUTHOR_EMAIL") or known.get("user.email", "")
    if not name.strip() or not address.strip():
        raise RepositoryError(
            "git does not know who you are, so the first commit would be nobody's.",
            hint='Tell it: git config --global user.name "Your Name"; git config --global user.email you@example.test',
        )
    return name, address


def begin_repository(folder: Path, *, author: tuple[str, str], message: str) -> str:
    """Make `folder`, which holds nothing but the first files, a repository with all of them in its one commit.

    No template, no hook and no filter of the user's takes part. The commit's id; raises `GitError`.
    """
    name, address = author
    roles = ("AUTHOR", "COMMITTER")
    identity = {f"GIT_{role}_NAME": name for role in roles} | {f"GIT_{role}_EMAIL": address for role in roles}
    run_git(("init", "--quiet", "--template=", f"--initial-branch={BRANCH}", "--", str(folder)))

    def git(*argv: str) -> str:
        said = run_git(argv, git_dir=folder / ".git", work_tree=folder, environment=identity)
        return said.stdout.decode("ascii", "replace").strip()

    git("add", "--force", "--all", "--", ":/")
    git("commit", "--quiet", "--no-gpg-sign", "--no-verify", "--cleanup=verbatim", "-m", message)
    return git("rev-parse", "HEAD")
