"""The workspace's `.git`, which is hostile: its shape, its refs and its HEAD, read here by hand and without git."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import unicodedata
from typing import NamedTuple

from report import Report, spell
from request import Request

MAX_REFS = 300_000
MAX_REFS_READ = 20_000
MAX_REF_DEPTH = 64
MAX_PACKED_REFS = 64 * 1024 * 1024
MAX_OBJECT_FILES = 5_000_000
MAX_STASH_LOG = 1024 * 1024

HEADS = "refs/heads/"
SOCKETS_OF_GIT = {b"fsmonitor--daemon.ipc"}
"""Git's own, on systems where its file watcher listens there."""


class UnusableError(Exception):
    """The workspace's `.git` cannot be used at all: (stable code, text)."""


class Refs(NamedTuple):
    """What the agent's refs say: branches by plain name, where HEAD is, and everything else that moved."""

    heads: dict[str, str]
    head_branch: str
    detached: str
    others: list[tuple[bytes, str]]
    """Full name and id of each ref that is no plainly named branch; a stash for each entry that it has."""


def open_up(path: bytes, need: int) -> None:
    """Give the owner, who we are, the rights of `need`, where the agent took them away. No link is followed."""
    mode = os.lstat(path).st_mode
    if mode & need != need and not stat.S_ISLNK(mode):
        os.chmod(path, stat.S_IMODE(mode) | need)


def scan(path: bytes) -> list[os.DirEntry[bytes]]:
    """The entries of a directory that is ours, although its mode may say otherwise."""
    with contextlib.suppress(PermissionError):
        open_up(path, 0o700)
    with os.scandir(path) as entries:
        return list(entries)


def is_plain(entry: os.DirEntry[bytes]) -> bool:
    return entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)


def read_file(path: bytes, limit: int) -> bytes:
    """The content of a regular file; raises OSError for anything else, without ever waiting for it."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except PermissionError:
        open_up(path, 0o400)
        descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(f"larger than {limit} bytes")
    return data


def inspect_git(git: bytes, report: Report) -> None:
    """Look at the shape of `.git`; raises UnusableError when objects could come from somewhere else."""
    open_up(os.path.dirname(git), 0o700)
    try:
        mode = os.lstat(git).st_mode
    except OSError:
        raise UnusableError("git-missing", "the workspace has no .git any more") from None
    if not stat.S_ISDIR(mode):
        raise UnusableError("git-not-directory", ".git is not a directory; it may point anywhere")
    names = set()
    for entry in scan(git):
        names.add(entry.name)
        if not is_plain(entry) and entry.name not in SOCKETS_OF_GIT:
            report.problem("git-special-file", b".git/" + entry.name + b" is neither a file nor a directory")
    for name in sorted({b"commondir", b"gitdir"} & names):
        raise UnusableError("git-redirected", ".git/" + name.decode() + " points to another repository")
    if b"reftable" in names:
        raise UnusableError("git-reftable", ".git keeps its refs in a reftable, which is not supported")
    inspect_objects(git + b"/objects")


def is_no_object(entry: os.DirEntry[bytes]) -> bool:
    """Whether it is a directory where git would open an object or a pack, and then end."""
    named = re.fullmatch(rb"[0-9a-f]{38}|[0-9a-f]{62}|pack-.*\.[a-z]+", entry.name)
    return named is not None and entry.is_dir(follow_symlinks=False)


def inspect_objects(objects: bytes) -> None:
    """Every entry that git could open must be a plain file: a FIFO would hang it, a link would lead elsewhere."""
    if not os.path.lexists(objects) or not stat.S_ISDIR(os.lstat(objects).st_mode):
        raise UnusableError("objects-redirected", ".git/objects is not a directory")
    count = 0
    for entry in scan(objects):
        inside = scan(entry.path) if entry.is_dir(follow_symlinks=False) else []
        count += len(inside)
        if count > MAX_OBJECT_FILES:
            raise UnusableError("too-many-objects", f".git/objects holds more than {MAX_OBJECT_FILES} files")
        for each in (entry, *inside):
            if not is_plain(each) or is_no_object(each):
                what = (
                    b" is neither a file nor a directory" if not is_plain(each) else b" is a directory, not an object"
                )
                raise UnusableError("objects-special-file", spell(b".git/objects" + each.path[len(objects) :] + what))
            if each.is_file(follow_symlinks=False):
                open_up(each.path, 0o400)
        if entry.name == b"info" and {b"alternates", b"http-alternates"} & {each.name for each in inside}:
            raise UnusableError("objects-redirected", ".git/objects/info/alternates points to other repositories")


def is_branch_name(name: str) -> bool:
    """Whether a branch may be called so: git's rules, and nothing that could mislead a reader or an option parser."""
    parts = name.split("/")
    return (
        0 < len(name.encode("utf-8", "replace")) <= 200
        and name.isprintable()
        and not name.startswith("-")
        and name not in ("HEAD", "@")
        and ".." not in name
        and "@{" not in name
        and not any(c in " ~^:?*[\\" or unicodedata.category(c) in ("Cf", "Cs", "Co", "Cn", "Zs") for c in name)
        and all(p and not p.startswith(".") and not p.endswith((".", ".lock")) for p in parts)
    )


def plain_name(name: bytes) -> str:
    """The text of a ref's name, or nothing when it is odd."""
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    return text if is_branch_name(text) else ""


def is_id(text: bytes, object_format: str) -> bool:
    return bool(re.fullmatch(rb"[0-9a-f]+", text)) and len(text) == {"sha1": 40, "sha256": 64}[object_format]


def read_refs(git: bytes, request: Request, report: Report) -> Refs:
    """Every branch and HEAD, by hand. Links and special files are reported and left alone."""
    packed = packed_refs(git, report)
    loose, whole = walk_refs(git + b"/refs", report)
    kind, name, detached = read_head(git, request, report)
    report.head = {"kind": kind, "name": name}
    wanted = {os.fsencode(ref) for ref in (HEADS + (name or request.head_branch), HEADS + request.head_branch)}
    wanted |= {os.fsencode(ref) for ref in request.refs}
    if not whole:
        loose |= {ref for ref in wanted if is_loose(git, ref)}
    if len(loose) + len(packed) > MAX_REFS_READ:
        report.problem("too-many-refs", f"{len(loose) + len(packed)} refs; only the branches from the start count")
        loose &= wanted
        packed = {ref: sha for ref, sha in packed.items() if ref in wanted}
    found = dict(packed)
    for ref in sorted(loose):
        try:
            found[ref] = read_file(git + b"/" + ref, 1024).strip()
        except OSError as error:
            report.problem("ref-unreadable", ref + b": " + str(error.strerror or error).encode())
    heads, others = sort_refs(found, request, report)
    if b"refs/stash" in found:
        others += older_stashes(git, found[b"refs/stash"], request, report)
    return Refs(heads, name if kind == "branch" else "", detached, others)


def is_loose(git: bytes, ref: bytes) -> bool:
    """Whether there is a regular file for a ref, with no link on the way to it."""
    place, *parts = git, *ref.split(b"/")
    for part in parts:
        try:
            open_up(place, 0o700)
            place += b"/" + part
            mode = os.lstat(place).st_mode
        except OSError:
            return False
        if not stat.S_ISDIR(mode):
            return stat.S_ISREG(mode) and place == git + b"/" + ref
    return False


def sort_refs(
    found: dict[bytes, bytes], request: Request, report: Report
) -> tuple[dict[str, str], list[tuple[bytes, str]]]:
    """Plainly named branches, and the other refs as far as they are not as they were."""
    heads: dict[str, str] = {}
    others: list[tuple[bytes, str]] = []
    for ref, sha in sorted(found.items()):
        if not ref.startswith(HEADS.encode()) and request.refs.get(os.fsdecode(ref)) == os.fsdecode(sha):
            continue
        text = plain_name(ref[len(HEADS) :]) if ref.startswith(HEADS.encode()) else ""
        if not text:
            count_other(ref, report)
        if is_id(sha, request.object_format):
            others += [] if text else [(ref, sha.decode("ascii"))]
            heads |= {text: sha.decode("ascii")} if text else {}
        elif text:  # cut off by a full disk, say: there may be commits that only this branch led to
            report.problem("branch-unusable", f"the branch {text} holds no id")
        elif not sha.startswith(b"ref:"):
            report.leave(spell(ref, 300), "0" * 40, "it holds no id")
    return heads, others


def count_other(ref: bytes, report: Report) -> None:
    """Count a ref that cannot come as what it is."""
    if ref.startswith(HEADS.encode()):
        report.odd(ref)
    else:
        report.stash |= ref == b"refs/stash"
        report.other_refs += 1


def older_stashes(git: bytes, newest: bytes, request: Request, report: Report) -> list[tuple[bytes, str]]:
    """The entries below the newest one, which only the log of the stash knows: ids alone are taken from there."""
    try:
        lines = read_file(git + b"/logs/refs/stash", MAX_STASH_LOG).splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        report.leave("refs/stash", "0" * 40, f"its older entries cannot be read: {error}")
        return []
    found = [words[1] for line in reversed(lines) if len(words := line.split(b" ", 2)) == 3]
    older = dict.fromkeys(sha.decode("ascii") for sha in found if is_id(sha, request.object_format) and sha != newest)
    return [(b"refs/stash", sha) for sha in older]


def packed_refs(git: bytes, report: Report) -> dict[bytes, bytes]:
    try:
        lines = read_file(git + b"/packed-refs", MAX_PACKED_REFS).split(b"\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        report.problem("ref-special-file", f".git/packed-refs: {error.strerror or error}")
        return {}
    pairs = (line.split(b" ", 1) for line in lines if line[:1] not in (b"#", b"^", b""))
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def walk_refs(top: bytes, report: Report) -> tuple[set[bytes], bool]:
    """The loose refs below `refs`, as paths that begin with `refs/`, and whether these are all of them.

    Nothing is opened and no link followed.
    """
    if not os.path.lexists(top) or not stat.S_ISDIR(os.lstat(top).st_mode):
        report.problem("ref-special-file", ".git/refs is not a directory")
        return set(), True
    found: set[bytes] = set()
    waiting = [(top, 0)]
    seen = too_deep = 0
    while waiting and seen <= MAX_REFS:
        folder, depth = waiting.pop()
        for entry in scan(folder):
            seen += 1
            if entry.is_dir(follow_symlinks=False):
                too_deep += depth == MAX_REF_DEPTH
                waiting += [(entry.path, depth + 1)] if depth < MAX_REF_DEPTH else []
            elif not entry.is_file(follow_symlinks=False):
                report.problem("ref-special-file", b".git/" + entry.path[len(top) - 4 :] + b" is not a regular file")
            elif not entry.name.endswith(b".lock"):
                found.add(entry.path[len(top) - 4 :])
    if seen > MAX_REFS or too_deep:
        report.problem("too-many-refs", f"more than {MAX_REFS} refs, or deeper than {MAX_REF_DEPTH}")
    return found, not (waiting or too_deep)


def read_head(git: bytes, request: Request, report: Report) -> tuple[str, str, str]:
    """(kind, branch, detached id). What cannot be read counts as the branch from the start, and is reported."""
    try:
        head = read_file(git + b"/HEAD", 4096).strip()
    except OSError as error:
        report.problem("head-unreadable", f".git/HEAD: {error.strerror or error}")
        return "unreadable", "", ""
    if is_id(head, request.object_format):
        return "detached", "", head.decode("ascii")
    target = head[4:].strip() if head.startswith(b"ref:") else b""
    name = plain_name(target[len(HEADS) :]) if target.startswith(HEADS.encode()) else ""
    if not name:
        report.problem("head-odd", b"HEAD says " + head[:200])
        return "unreadable", "", ""
    return "branch", name, ""
