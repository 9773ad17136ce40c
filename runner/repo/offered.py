"""Reads the image that a repository offers from the commit that a run begins at: never from the work tree.

Only regular files of that commit are read, through git, by their ids and within bounds: nothing is checked out, no
link is followed, and no ignored file of the user's (`.env`) can get into a build.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

from runner.errors import RepositoryError
from runner.escape import escape_text
from runner.model.offer import Offer, OfferedFile
from runner.repo.base_tree import (
    KINDS,
    MODES,
    MOST_FILES,
    OWN,
    PLACES,
    SMALLER,
    Entry,
    list_entries,
    read_entries,
)
from runner.repo.devcontainer import Devcontainer, parse_devcontainer
from runner.repo.git import MIB
from runner.repo.jsonc import MOST_BYTES
from runner.repo.remote_adds import remote_add
from runner.repo.source import Source

MOST_DOCKERFILE = 256 * 1024
MOST_CONTEXT = 32 * MIB


def read_offer(source: Source, *, effective_uid: int) -> Offer | None:
    """The image that the base offers; None if it offers none.

    Raises `RepositoryError` for one that cannot be used: too large, a link, a path that leads out of the repository, a
    devcontainer.json that is none, an `ADD` from a URL. Raises `GitError`.
    """
    entries = {entry.path: entry for entry in list_entries(source, PLACES, effective_uid)}
    place = next((place for place in PLACES if place in entries), "")
    if not place:
        return None
    entry = _regular(entries[place], MOST_DOCKERFILE if place == OWN else MOST_BYTES)
    if place == OWN:
        said = Devcontainer(dockerfile="Dockerfile")
    else:
        said = parse_devcontainer(read_entries(source, [entry], effective_uid)[entry.id], place)
    if said.image:
        return Offer(origin=place, reference=said.image, ignored=said.ignored)
    if not said.dockerfile:
        return None
    return _build_of(said, place, source, effective_uid)


def _build_of(said: Devcontainer, place: str, source: Source, effective_uid: int) -> Offer:
    folder = posixpath.dirname(place)
    context = _inside(folder, said.context, place)
    dockerfile = _inside(folder, said.dockerfile, place)
    below = f"{context}/" if context else ""
    if not dockerfile.startswith(below) or dockerfile == context:
        raise _refused(place, f"its Dockerfile {escape_text(dockerfile)} is outside of its build context")
    entries = list_entries(source, [below] if below else [], effective_uid, whole=True)
    named = next((entry for entry in entries if entry.path == dockerfile), None)
    if named is None:
        raise _refused(place, f"there is no {escape_text(dockerfile)} in the commit")
    _regular(named, MOST_DOCKERFILE)
    files = _files(entries, below, source, effective_uid)
    dockerfile = dockerfile.removeprefix(below)
    _refuse_remote(next(file for file in files if file.path == dockerfile), named.path)
    return Offer(
        origin=place,
        dockerfile=dockerfile,
        target=said.target,
        arguments=said.arguments,
        files=files,
        left_out=tuple(
            f"{escape_text(entry.path)} ({KINDS.get(entry.mode, 'no file')})" for entry in entries if not entry.regular
        ),
        ignored=said.ignored,
    )


def _inside(folder: str, given: str, place: str) -> str:
    """A path that is given from `folder`, from the top of the repository; empty is the top itself."""
    path = posixpath.normpath(posixpath.join(folder, given))
    if given.startswith("/") or path == ".." or path.startswith("../"):
        raise _refused(place, f"{escape_text(given)} leads out of the repository")
    return "" if path == "." else path


def _files(entries: list[Entry], below: str, source: Source, effective_uid: int) -> tuple[OfferedFile, ...]:
    """All regular files, by their paths from the context's folder."""
    regular = [entry for entry in entries if entry.regular]
    if len(entries) > MOST_FILES:
        raise RepositoryError(f"The build context has more than {MOST_FILES} files.", hint=SMALLER)
    if sum(entry.size for entry in regular) > MOST_CONTEXT:
        raise RepositoryError(f"The build context is larger than {MOST_CONTEXT // MIB} MiB.", hint=SMALLER)
    _refuse_odd_paths(entries)
    content = read_entries(source, regular, effective_uid)
    files = [OfferedFile(entry.path.removeprefix(below), MODES[entry.mode], content[entry.id]) for entry in regular]
    return tuple(sorted(files))


def _refuse_odd_paths(entries: Iterable[Entry]) -> None:
    """A tree made by hand can hold what no work tree can: `..`, empty names, one name twice."""
    seen: set[str] = set()
    for path, *_ in entries:
        if path in seen or {"", ".", ".."} & set(path.split("/")):
            raise RepositoryError(f"The commit has a path that no file can have: {escape_text(path[:200])}.")
        try:
            path.encode()
        except UnicodeEncodeError:
            raise RepositoryError(f"The build context has a name that is not UTF-8: {escape_text(path)}.") from None
        seen.add(path)


def _refuse_remote(file: OfferedFile, path: str) -> None:
    if found := remote_add(file.data):
        raise RepositoryError(
            f"{escape_text(path)}: {escape_text(found[:200])} may be fetched by the engine itself, from this "
            "machine's own network.",
            hint="Fetch it with RUN, for instance by curl; an ADD of plain paths is fine.",
        )


def _regular(entry: Entry, limit: int) -> Entry:
    if not entry.regular:
        raise _refused(entry.path, f"it is {KINDS.get(entry.mode, 'no regular file')}; only regular files are used")
    if entry.size > limit:
        raise _refused(entry.path, f"it is larger than {limit // 1024} KiB")
    return entry


def _refused(place: str, why: str) -> RepositoryError:
    return RepositoryError(
        f"The image that the repository offers cannot be used: {escape_text(place)}: {why}.",
        hint="Correct it and commit it, or leave --image repo out.",
    )
