"""Remote repositories: a bare clone for each URL, kept in the state directory and fetched again for each run.

This is the one place where git uses the user's own configuration, for credential helpers and proxies. Credentials
in the URL itself are handed to git in its environment, as a header; no argv, file or message ever has them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from runner.errors import GitError, RepositoryError, StoreError
from runner.escape import escape_text
from runner.repo.git import run_git
from runner.repo.layout import settings_environment
from runner.repo.urls import SCHEMES, RemoteUrl, parse_url

# Of a GIT_ variable only these reach git: others would point it to another repository, or make it print headers.
_KEPT = re.compile(
    r"(?!GIT_)|GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|PROXY_COMMAND|HTTP_\w+|SSL_\w+"
    r"|CONFIG_(COUNT|KEY_\d+|VALUE_\d+|GLOBAL|SYSTEM|NOSYSTEM))\Z"
)
_HOPELESS = re.compile(
    r"not found|does not exist|does not appear to be|could not read (Username|Password)|[Aa]uthentication failed"
    r"|[Pp]ermission denied|[Aa]ccess denied|dubious ownership|Host key verification|error: 40[0-9]"
)


def clone_source(url: str, state_dir: Path, *, environment: Mapping[str, str], deadline: float = 900.0) -> Path:
    """A bare clone of `url`, made or brought up to date: remote branches, and the default one as HEAD.

    `environment` is the user's own. Raises RepositoryError when the URL cannot be used or has nothing to offer,
    GitError when the remote could not be reached.
    """
    remote = parse_url(url)
    fetching = remote_environment(remote, environment)
    place = clone_place(url, state_dir)
    with alone(place):
        branch, object_format = _default_branch(remote, fetching, deadline)
        if not (place / "HEAD").exists():
            run_git(["init", "--quiet", "--bare", "--template=", f"--object-format={object_format}", str(place)])
        _fetch(remote, place, branch, fetching, deadline)
    return place


def clone_place(url: str, state_dir: Path) -> Path:
    """Where the clone of a URL is, or would be. Raises RepositoryError for one that is not fetched."""
    remote = parse_url(url)
    return state_dir / "clones" / f"{remote.name}-{hashlib.sha256(remote.url.encode()).hexdigest()[:12]}.git"


def lock_of(place: Path) -> Path:
    """The file that is locked while a clone is changed."""
    return place.with_suffix(".lock")


def reach_remote(url: str, *, environment: Mapping[str, str], deadline: float = 60.0) -> None:
    """Ask whether there is a repository at `url`, with branches. Raises what `clone_source` would; keeps nothing."""
    remote = parse_url(url)
    _default_branch(remote, remote_environment(remote, environment), deadline)


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Runs of one batch may want the same URL at once: one fetches, the others wait. Raises StoreError."""
    try:
        for folder in (place.parent.parent, place.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = _locked(lock_of(place))
    except OSError as error:
        raise StoreError(f"cannot keep clones in {place.parent}: {error.strerror}") from error
    try:
        yield
    finally:
        os.close(lock)


def _locked(path: Path) -> int:
    """The file, locked; not one that was removed while we waited for it."""
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(os.fstat(lock), path.stat()):
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)


def _default_branch(remote: RemoteUrl, environment: Mapping[str, str], deadline: float) -> tuple[str, str]:
    """The full name of the branch that the remote's HEAD is on, and the format of its object ids."""
    said = _ask(remote, ["ls-remote", "--symref", "--", remote.url, "HEAD", "refs/heads/*"], environment, deadline)
    lines = [line.split("\t") for line in os.fsdecode(said).splitlines() if "\t" in line]
    names = [name for sha, name in lines if name.startswith("refs/heads/") and not sha.startswith("ref:")]
    heads = [sha.removeprefix("ref: ") for sha, name in lines if name == "HEAD" and sha.startswith("ref: refs/heads/")]
    if not names:
        raise RepositoryError(f"{_shown(remote)} has no branches yet", hint="push something there first")
    preferred = [*heads, "refs/heads/main", "refs/heads/master"]
    branch = next((name for name in preferred if name in names), names[0])
    return branch, "sha256" if any(len(sha) == 64 for sha, _ in lines) else "sha1"


def _fetch(remote: RemoteUrl, place: Path, branch: str, environment: Mapping[str, str], deadline: float) -> None:
    refspecs = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*", f"+{branch}:{branch}"]
    options = ["--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"]
    before = _head(place)
    if before != branch:
        run_git(["symbolic-ref", "HEAD", branch], git_dir=place)
    # A fetch refuses to move the branch that is checked out, which in a bare repository means nothing.
    argv = ["fetch", *options, "--update-head-ok", "--", remote.url, *refspecs]
    _ask(remote, argv, environment, deadline, git_dir=place)
    if before.startswith("refs/heads/") and before != branch:
        run_git(["update-ref", "-d", before], git_dir=place)


def _head(place: Path) -> str:
    return (
        run_git(["symbolic-ref", "--quiet", "HEAD"], git_dir=place, check=False)
        .stdout.decode("utf-8", "replace")
        .strip()
    )


def _ask(
    remote: RemoteUrl,
    argv: list[str],
    environment: Mapping[str, str],
    deadline: float,
    git_dir: Path | None = None,
) -> bytes:
    try:
        said = run_git(argv, git_dir=git_dir, environment=environment, deadline=deadline, check=False)
    except GitError as error:
        raise GitError(remote.mask(error.message), hint=remote.mask(error.hint)) from None
    if said.exit_code == 0:
        return said.stdout
    lines = [line for line in remote.mask(said.stderr).splitlines() if line.strip()]
    message = f"{_shown(remote)} cannot be fetched: {' | '.join(lines[:3])[:1000] or 'git said nothing'}"
    if _HOPELESS.search(said.stderr):
        raise RepositoryError(message, hint=f"see whether this works: git ls-remote {_shown(remote)}")
    raise GitError(message, hint="see whether the network is up, then try again")


def remote_environment(remote: RemoteUrl, users: Mapping[str, str]) -> dict[str, str]:
    """What git is given to talk to a remote: the user's own variables and configuration, and the URL's credentials."""
    kept = {name: value for name, value in users.items() if _KEPT.match(name)}
    settings = [] if "GIT_CONFIG_GLOBAL" in kept else [("include.path", path) for path in configuration_files(kept)]
    if remote.credentials:
        origin = re.match(r"https?://[^/]+/", remote.url)
        settings.append((f"http.{origin[0] if origin else remote.url}.extraHeader", remote.authorization()))
    count = int(kept.get("GIT_CONFIG_COUNT", "0")) if kept.get("GIT_CONFIG_COUNT", "0").isdigit() else 0
    return {
        "GIT_CONFIG_NOSYSTEM": "0",
        **kept,
        **settings_environment(settings, count),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": ":".join(SCHEMES),
        "LC_ALL": "C",
    }


def configuration_files(environment: Mapping[str, str]) -> list[str]:
    """The user's own configuration, weakest first, by git's rules."""
    home = environment.get("HOME", "")
    xdg = environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "")
    return [*([f"{xdg}/git/config"] if xdg else []), *([f"{home}/.gitconfig"] if home else [])]


def _shown(remote: RemoteUrl) -> str:
    return escape_text(remote.url)
