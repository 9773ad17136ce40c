"""Files that are handed over beside the commits: found by the host's globs, copied to /out/artifacts/NUMBER.

Only regular files with one name come, each within its caps and under a name that the host may use. Everything else
that a glob names is told, and stays what it was: uncommitted work, if git does not ignore it.
"""

from __future__ import annotations

import os
import stat
import time
import unicodedata
from collections.abc import Sequence

from globs import Globs, Search
from report import HIDDEN, Report, spell
from repository import Repository
from request import Places, Request

DEEPEST_NAME = 32
LONGEST_NAME = 1_024
TOLD = 20
"""So many of the files that were left out are told by name."""
PIECE = 1024 * 1024
BATCH = 500


class LeftOutError(Exception):
    """This file does not come, and why."""


def hand_over(places: Places, request: Request, report: Report) -> list[bytes]:
    """Copy what the globs name, and report it; the paths in the workspace that were taken. Never raises OSError."""
    if not request.artifacts:
        return []
    search = Search(places.workspace, Globs(request.artifacts), time.monotonic() + request.artifact_seconds)
    tray = Tray(places, request, search.deadline)
    try:
        os.mkdir(tray.folder, 0o700)
        for entry in search.files():
            tray.offer(entry)
    except OSError as error:
        tray.left_out.append(f"Artifacts could not be looked for to the end: {error}")
    report.artifacts = tray.taken
    for glob in sorted(search.unmatched):
        report.note(f"No file matches the artifact {request.artifacts[glob]}")
    for text in (*tray.left_out, *([f"Not everything was looked at: {search.stopped}"] if search.stopped else [])):
        report.note(text)
    if tray.more:
        report.note(f"And {tray.more} more files that the artifacts' globs name were left out")
    return tray.paths


class Tray:
    """What was taken so far, and why the rest was not."""

    def __init__(self, places: Places, request: Request, deadline: float) -> None:
        self.folder, self.deadline = places.out + b"/artifacts", deadline
        self.taken: list[dict[str, str | int]] = []
        self.paths: list[bytes] = []
        self.left_out: list[str] = []
        self.more = 0
        self._skip = len(places.workspace) + 1
        self._most_files, self._most_bytes, self._room = request.artifact_caps
        self._names: set[str] = set()

    def offer(self, entry: os.DirEntry[bytes]) -> None:
        """Take one file, or remember why it does not come."""
        path = entry.path[self._skip :]
        try:
            name = host_name(path)
            if same_name(name) in self._names:
                raise LeftOutError("another one has the same name but for capitals or accents")
            size = self._copy(entry)
        except (LeftOutError, OSError) as error:
            if len(self.left_out) < TOLD:
                self.left_out.append(f"Left out of the artifacts: {spell(path, 300)}: {error}")
            else:
                self.more += 1
            return
        self._names.add(same_name(name))
        self._room -= size
        self.paths.append(path)
        self.taken.append({"name": name, "size": size})

    def _copy(self, entry: os.DirEntry[bytes]) -> int:
        """Copy it under its number; its size. Raises LeftOutError and OSError; then there is no copy."""
        if len(self.taken) >= self._most_files:
            raise LeftOutError(f"there are more than {self._most_files} files")
        status = entry.stat(follow_symlinks=False)
        self._refuse(status)
        if not status.st_mode & stat.S_IRUSR:
            os.chmod(entry.path, stat.S_IMODE(status.st_mode) | stat.S_IRUSR)
        source = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(source, "rb", buffering=0) as reader:
            opened = os.fstat(source)
            if (opened.st_dev, opened.st_ino) != (status.st_dev, status.st_ino):
                raise LeftOutError("it is not what it was a moment ago")
            self._refuse(opened)
            target = self.folder + b"/%d" % len(self.taken)
            try:
                with open(target, "xb", buffering=0) as writer:
                    return self._pour(reader.fileno(), writer.fileno(), opened.st_size)
            except BaseException:
                os.unlink(target)
                raise

    def _refuse(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise LeftOutError("it is no regular file")
        if status.st_nlink != 1:
            raise LeftOutError("it has another name (a hard link)")
        if status.st_size > self._most_bytes:
            raise LeftOutError(f"it is larger than {self._most_bytes} bytes")
        if status.st_size > self._room:
            raise LeftOutError("the artifacts together would be too large")

    def _pour(self, source: int, target: int, size: int) -> int:
        """Copy `size` bytes, which have to be all that there are."""
        copied = 0
        while piece := os.read(source, PIECE):
            copied += len(piece)
            if copied > size or time.monotonic() > self.deadline:
                raise LeftOutError("it grows while it is read" if copied > size else "the time for artifacts is over")
            while piece:
                piece = piece[os.write(target, piece) :]
        if copied < size:
            raise LeftOutError("it shrinks while it is read")
        return copied


def host_name(path: bytes) -> str:
    """The path as the host may use it, below a folder of its own; raises LeftOutError. The host looks once more."""
    try:
        name = path.decode("utf-8")
    except UnicodeDecodeError:
        raise LeftOutError("its name is not UTF-8") from None
    parts = name.split("/")
    if "\\" in name or any(unicodedata.category(c) in HIDDEN for c in name):
        raise LeftOutError("its name has characters that cannot be shown as they are")
    if len(parts) > DEEPEST_NAME or len(path) > LONGEST_NAME:
        raise LeftOutError("its name is too long or too deep")
    for part in parts:
        if part[0] in "-~" or part != part.strip() or part.casefold().rstrip(" .") in {"", ".git", "git~1"}:
            raise LeftOutError("its name is no plain one")
    return name


def same_name(name: str) -> str:
    """What two names share that are one file where capitals or ways to write an accent do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def unknown_to_git(repository: Repository, taken: Sequence[bytes]) -> list[bytes]:
    """Those of the paths that git would take now and has no entry at or below: a file that git knows stays git's."""
    unknown: list[bytes] = []
    for at in range(0, len(taken), BATCH):
        # git complains of an ignored path that it is told to leave out.
        others = listed(repository, taken[at : at + BATCH], "--others", "--exclude-standard")
        known = b"".join(b"\0" + path for path in listed(repository, others))
        unknown += [path for path in others if b"\0" + path + b"/" not in known]
    return unknown


def listed(repository: Repository, paths: Sequence[bytes], *options: str) -> list[bytes]:
    """What `git ls-files` names of these paths."""
    specs = [b":(top,literal)" + path for path in paths]
    said = repository.git("ls-files", "-z", *options, "--", *specs, work_tree=True) if specs else b""
    return [path for path in said.split(b"\0") if path]
