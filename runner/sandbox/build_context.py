"""What an image is built from, read once: one value gives both the archive for the engine and the tag by content."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOTS_FOLDER = "extra-roots"
TAG_DIGITS = 12


class ContextFile(NamedTuple):
    """One file of a build context; `mode` is 0o755 for programs and 0o644 for all else, whatever the umask was."""

    path: str
    mode: int
    data: bytes


def read_context(folder: Path, extra_roots: Sequence[Path], shared: Sequence[Path] = ()) -> tuple[ContextFile, ...]:
    """Every regular file of `folder`, the roots under `extra-roots/` and the `shared` files, sorted by path.

    Links are not followed.
    """
    files = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }
    files |= {f"{ROOTS_FOLDER}/{root.name}": root for root in extra_roots} | {path.name: path for path in shared}
    return tuple(
        ContextFile(name, 0o755 if path.stat().st_mode & 0o100 else 0o644, path.read_bytes())
        for name, path in sorted(files.items())
    )


def content_digest(files: Sequence[ContextFile], *more: str) -> str:
    """Twelve hexadecimal digits that change with any name, mode or byte of `files`, and with any of `more`."""
    digest = hashlib.sha256()
    for text in more:
        digest.update(f"{len(text.encode())}:".encode() + text.encode())
    for path, mode, data in files:
        digest.update(f"{len(path.encode())}:{path} {mode:o} {len(data)}:".encode() + data)
    return digest.hexdigest()[:TAG_DIGITS]


def context_archive(files: Sequence[ContextFile]) -> bytes:
    """The same files as a tar, beside the folder for roots, which is there even where it is empty."""
    return archive_of(files, ROOTS_FOLDER)


def archive_of(files: Sequence[tuple[str, int, bytes]], *folders: str) -> bytes:
    """Files (path, mode, bytes) as an uncompressed tar: regular ones alone, owned by root, without times.

    Equal files give equal bytes, so that the engine's cache holds.
    """
    import tarfile  # to look for an image takes none

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in folders:
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
        for path, mode, data in files:
            member = tarfile.TarInfo(path)
            member.mode, member.size = mode, len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
