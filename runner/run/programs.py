"""Copies of the programs that containers mount, for an engine that does not see where Paddock is installed."""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from runner.errors import StoreError
from runner.model.settings import Settings
from runner.store.files import make_folder
from runner.store.tree import remove_tree

FOLDER = "programs"
SIGNS = (Path("/.dockerenv"), Path("/run/.containerenv"))
"""What engines leave in the containers that they make."""


def are_lent(settings: Settings) -> bool:
    """Whether the engine may be on another side of a container's wall than Paddock."""
    return bool(settings.path_map) or any(sign.exists() for sign in SIGNS)


def lent_place(programs: tuple[Path, ...], settings: Settings) -> Path:
    """The folder of the state directory where copies of `programs`, files and folders, are lent from.

    Its name is their digest, so that it is never changed once it is there.
    """
    digest = hashlib.sha256()
    for file in sorted(each for top in programs for each in sources(top)):
        content = file.read_bytes()
        digest.update(f"{file.name}\0{len(content)}\0".encode() + content)
    return settings.state_dir / FOLDER / digest.hexdigest()[:16]


def lend(programs: tuple[Path, ...], settings: Settings) -> None:
    """Make that folder, where it is not there. Raises `StoreError`."""
    place = lent_place(programs, settings)
    if place.is_dir():
        return
    partial = place.with_name(f".{place.name}.{secrets.token_hex(4)}.partial")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_folder(partial, 0o755)
        for top in programs:
            copy(top, partial / top.name)
        partial.rename(place)
    except OSError as error:
        remove_tree(partial)
        if not place.is_dir():  # another run was quicker
            raise StoreError(f"{place} cannot be made: {error.strerror}.") from error


def sources(top: Path) -> Iterator[Path]:
    """A file, or the modules of a folder."""
    yield from top.glob("*.py") if top.is_dir() else (top,)


def copy(top: Path, target: Path) -> None:
    """Readable by everybody, whatever the umask is."""
    if top.is_dir():
        make_folder(target, 0o755)
    for file in sources(top):
        place = target / file.name if top.is_dir() else target
        shutil.copyfile(file, place)
        place.chmod(0o644)
