"""Checks on the disk, symlinks resolved, whether a directory or file of the host may be seen by a sandbox."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import PolicyError
from runner.model.paths import check_characters
from runner.model.wording import quoted

_SYSTEM = {
    "/etc": "the system's configuration",
    "/proc": "the kernel's own view of every process",
    "/sys": "the kernel's own settings",
    "/dev": "the devices",
    "/run": "run-time state and sockets of services",
    "/var/run": "run-time state and sockets of services",
    "/boot": "what the machine starts from",
    "/var/lib/docker": "the engine's own data",
    "/var/lib/containerd": "the engine's own data",
}
_CREDENTIALS = (
    ".ssh",
    ".aws",
    ".gnupg",
    ".config/gcloud",
    ".docker",
    ".kube",
    ".azure",
    ".config/gh",
    ".netrc",
    ".git-credentials",
    ".password-store",
    ".local/share/keyrings",
    ".npmrc",
    ".pypirc",
    ".cargo/credentials.toml",
    ".config/op",
    ".mozilla",
    ".config/google-chrome",
    ".config/chromium",
    ".claude",
    ".codex",
    ".gemini",
)


@dataclass(frozen=True)
class _Guarded:
    """A place that no sandbox sees: neither it, nor a directory that contains it, nor (mostly) anything below it."""

    path: Path
    what: str
    below: bool = True


def check_mount_source(  # noqa: PLR0913 - each is a place that is guarded
    source: str,
    *,
    home: Path,
    state_dir: Path,
    source_git_dir: Path | None,
    engine_socket: Path | None,
    policy_files: Sequence[Path] = (),
) -> Path:
    """The real path of an absolute `source`, every symlink resolved; the caller mounts this path and no other.

    `policy_files` are the files that the run's policy came from: an agent that could write them would decide about
    the next run. Raises PolicyError. Nothing is created, and nothing is opened.
    """
    real = _resolved(source, home)
    refuse_guarded(
        source,
        real,
        home=home,
        state_dir=state_dir,
        source_git_dir=source_git_dir,
        engine_socket=engine_socket,
        policy_files=policy_files,
    )
    return real


def refuse_guarded(  # noqa: PLR0913 - each is a place that is guarded
    source: str,
    real: Path,
    *,
    home: Path,
    state_dir: Path,
    source_git_dir: Path | None,
    engine_socket: Path | None,
    policy_files: Sequence[Path] = (),
) -> None:
    """Raises PolicyError when `real`, which `source` leads to, is, contains or lies below what no sandbox may see."""
    guarded = [
        *(_Guarded(Path(path), what) for path, what in _SYSTEM.items()),
        *_homes(real, home),
        _Guarded(state_dir, "Paddock's own state"),
        *([_Guarded(source_git_dir, "the source repository's .git")] if source_git_dir else []),
        *([_Guarded(engine_socket, "the engine's socket, which is the whole machine")] if engine_socket else []),
        *(_Guarded(path, "the policy itself") for path in policy_files),
    ]
    for place in guarded:
        _refuse_overlap(source, real, place)


def _resolved(source: str, home: Path) -> Path:
    """`~/` is understood here as well, for sources that did not come through a policy file."""
    path = str(home) + source[1:] if source == "~" or source.startswith("~/") else source
    _check_text(source, path)
    if not path.startswith("/"):
        raise _refused(source, "is not an absolute path")
    try:
        real = os.path.realpath(path, strict=True)
        mode = os.stat(real).st_mode  # noqa: PTH116 - beside realpath, whose text form it takes
    except FileNotFoundError:
        raise _refused(source, "does not exist", hint="create it, or correct the path: Paddock creates none") from None
    except OSError as error:
        raise _refused(source, f"cannot be looked at: {error.strerror}") from error
    _check_text(source, real)
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise _refused(source, f"is {_kind(mode)}; only directories and regular files are mounted")
    return Path(real)


def _check_text(source: str, path: str) -> None:
    try:
        check_characters(path)
    except ValueError as error:
        raise _refused(source, f"cannot be mounted: {error}") from None


def _kind(mode: int) -> str:
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a FIFO" if stat.S_ISFIFO(mode) else "a device"


def _homes(real: Path, home: Path) -> Iterator[_Guarded]:
    """Home directories themselves, and what in them opens other doors."""
    homes = [home, Path("/root")]
    if real.is_relative_to("/home") and len(real.parts) > 2:
        homes.append(Path(*real.parts[:3]))
    yield _Guarded(Path("/home"), "everybody's home directories", below=False)
    for directory in homes:
        yield _Guarded(directory, "a home directory", below=False)
        for name in _CREDENTIALS:
            yield _Guarded(directory / name, "credentials")


def _refuse_overlap(source: str, real: Path, place: _Guarded) -> None:
    # Both the place as it is called and where it really is: `~/.ssh` may itself be a symlink.
    for guarded in dict.fromkeys((place.path, Path(os.path.realpath(place.path)))):
        shown = f"{quoted(str(guarded))} ({place.what})"
        if real == guarded or _same(real, guarded):
            raise _refused(source, f"is {shown}")
        if guarded.is_relative_to(real) or any(_same(real, parent) for parent in guarded.parents):
            raise _refused(source, f"contains {shown}", hint="mount a directory of its own instead")
        if place.below and (real.is_relative_to(guarded) or any(_same(parent, guarded) for parent in real.parents)):
            raise _refused(source, f"is below {shown}")


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one directory: bind mounts and file systems that ignore case give it further names."""
    try:
        return one.samefile(other)
    except OSError:
        return False


def _refused(source: str, why: str, *, hint: str = "") -> PolicyError:
    return PolicyError(f"mount source {quoted(source)} {why}", hint=hint)
