"""What the user wants ignored in every repository, which a git without the user's configuration would not know."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping

from runner.repo.git import run_git
from runner.repo.layout import settings_environment
from runner.repo.source import Source


def ignore_settings(source: Source, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """The setting that makes git ignore what the user's own configuration ignores, such as every `.env`.

    `environment` may hold HOME and XDG_CONFIG_HOME; where git runs as another user, that user's home counts.
    Nothing else of that configuration is used.
    """
    home = environment.get("HOME", "") if source.user(os.geteuid()) is None else ""
    xdg = environment.get("XDG_CONFIG_HOME", "") if home else ""
    home = home or _home_of(source.owner.uid)
    if not home:
        return []
    xdg = xdg or f"{home}/.config"
    scope, path = _configured(source, home, [f"{xdg}/git/config", f"{home}/.gitconfig"])
    if scope in {"local", "worktree"}:  # the repository's own setting, which git reads by itself
        return []
    return [("core.excludesFile", path or f"{xdg}/git/ignore")]


def _home_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return ""


def _configured(source: Source, home: str, files: list[str]) -> tuple[str, str]:
    """Scope and value of core.excludesFile, the strongest one; empty if there is none."""
    includes = [("include.path", file) for file in files if os.access(file, os.R_OK)]
    said = run_git(
        ["config", "--show-scope", "--type=path", "-z", "--get-all", "core.excludesFile"],
        git_dir=source.git_dir,
        environment={**settings_environment(includes), "HOME": home},
        user=source.user(os.geteuid()),
        check=False,
    )
    words = os.fsdecode(said.stdout).split("\0")[:-1]
    found = list(zip(words[::2], words[1::2], strict=False))
    own = [pair for pair in found if pair[0] in {"local", "worktree"}]
    return (own or found or [("", "")])[-1]
