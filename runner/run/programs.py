"""The programs that containers mount: compiled ahead; copied, for an engine that does not see where Paddock is."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import struct
import sys
from contextlib import suppress
from importlib.util import MAGIC_NUMBER
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
    """The folder of the state directory where copies of `programs`, which are folders, are lent from.

    Its name is their digest, so that none of them is ever changed once it is there.
    """
    digest = hashlib.sha256()
    for file in sorted(each for folder in programs for each in folder.glob("*.py")):
        content = file.read_bytes()
        digest.update(f"{file.name}\0{len(content)}\0".encode() + content)
    return settings.state_dir / FOLDER / digest.hexdigest()[:16]


def lend(programs: tuple[Path, ...], place: Path) -> None:
    """Make the folder `place` of their copies, where it is not there. Raises `StoreError`."""
    if place.is_dir():
        return
    partial = place.with_name(f".{place.name}.{secrets.token_hex(4)}.partial")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_folder(partial, 0o755)
        for folder in programs:
            copy(folder, partial / folder.name)
        partial.rename(place)
    except OSError as error:
        remove_tree(partial)
        if not place.is_dir():  # another run was quicker
            raise StoreError(f"{place} cannot be made: {error.strerror}.") from error


def copy(folder: Path, target: Path) -> None:
    """Its modules, readable by everybody, whatever the umask is."""
    make_folder(target, 0o755)
    for file in folder.glob("*.py"):
        place = target / file.name
        shutil.copyfile(file, place)
        place.chmod(0o644)


def compile_ahead(folder: Path) -> None:
    """Put the compiled form of its modules beside them, where it is missing and we may.

    An image whose Python is of the same version as ours starts its first process 9 ms sooner by it. Any other one
    compiles them itself.
    """
    cache = folder / "__pycache__"
    stale = [file for file in folder.glob("*.py") if not _is_fresh(_compiled(cache, file), file)]
    if not stale or sys.dont_write_bytecode:
        return
    from py_compile import PyCompileError  # the first time alone

    with suppress(OSError, PyCompileError, ImportError, EOFError, ValueError, TypeError):
        if not cache.is_dir():
            make_folder(cache, 0o755)
        for file in stale:
            _compile(file, _compiled(cache, file))


def _compiled(cache: Path, source: Path) -> Path:
    return cache / f"{source.stem}.{sys.implementation.cache_tag}.pyc"


def _compile(source: Path, target: Path) -> None:
    """Whole or not at all, readable by everybody: Python believes in what it finds, whatever a full disk left of it."""
    import py_compile
    from importlib.machinery import SourcelessFileLoader

    partial = target.with_name(f"{target.name}.{secrets.token_hex(4)}.partial")
    partial.touch(mode=0o600)  # before the work: where nothing can be written, nothing is compiled
    try:
        py_compile.compile(
            str(source),
            str(partial),
            dfile=source.name,
            doraise=True,
            optimize=0,
            invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP,
        )
        SourcelessFileLoader(source.stem, str(partial)).get_code(source.stem)
        partial.chmod(0o644)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)


def _is_fresh(compiled: Path, source: Path) -> bool:
    """By what Python itself goes: its own version, then time and size of the source (PEP 552)."""
    try:
        with compiled.open("rb") as file:
            header = file.read(16)
    except OSError:
        return False
    stat = source.stat()
    fields = struct.pack("<LLL", 0, int(stat.st_mtime) & 0xFFFFFFFF, stat.st_size & 0xFFFFFFFF)
    return header == MAGIC_NUMBER + fields
