"""Takes commits and uncommitted work out of a dead agent's workspace, from inside the collector container.

Started as `python3 -I /paddock/collector.py`; standard library only, since it sees nothing of Paddock. The `.git` that
it finds is hostile. Of it are used: objects, and the ids in HEAD, refs and packed-refs, read here without git and
without following links. Configuration, index, hooks, attributes, logs, grafts and replacements are never read: git
works in a bare repository of ours that borrows the workspace's objects. What comes out is for a host that trusts
none of it: /out/changes.bundle, and last of all /out/report.json.
"""

# Names here are bytes, which pathlib cannot hold.
# ruff: noqa: PTH101, PTH102, PTH103, PTH104, PTH106, PTH108, PTH110, PTH116, PTH123

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

NOT_TOLD = 125
MAX_REFS = 300_000
MAX_REFS_READ = 20_000
MAX_REF_DEPTH = 64
MAX_PACKED_REFS = 64 * 1024 * 1024
MAX_OBJECT_FILES = 5_000_000
MAX_TREE_ENTRIES = 5_000_000
MAX_PATH = 4_000
MAX_TEXTS = 200
KEPT_STDERR = 64 * 1024

PRIMARY = "refs/paddock/primary"
OTHER = "refs/paddock/other"
MESSAGE = "paddock: uncommitted work"
ASIDE = b".paddock-aside-"
HEADS = "refs/heads/"
SOCKETS_OF_GIT = {b"fsmonitor--daemon.ipc"}
"""Git's own, on systems where its file watcher listens there."""

CONFIG = """[core]
\trepositoryformatversion = {version}
\tbare = true
\tlogAllRefUpdates = false
\thooksPath = /dev/null
\tfsmonitor = false
\tcommitGraph = false
\tmultiPackIndex = false
\tsafecrlf = false
\tprotectHFS = true
\tprotectNTFS = true
\tbigFileThreshold = 16m
\tfsync = none
[pack]
\tuseBitmaps = false
\tthreads = 2
[gc]
\tauto = 0
[protocol]
\tallow = never
[advice]
\taddEmbeddedRepo = false
{extensions}"""

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}


class StepError(Exception):
    """One step could not be done; the others go on."""


class UnusableError(Exception):
    """The workspace's `.git` cannot be used at all: (stable code, text)."""


class Request(NamedTuple):
    """What the host asks for (collect.json); trusted."""

    start: str
    head_branch: str
    refs: dict[str, str]
    exclude: list[str]
    object_format: str
    max_branches: int
    leftovers: bool
    shallow: list[str]
    name: str
    email: str
    date: str
    max_file: int
    step_seconds: float


class Places(NamedTuple):
    """Where things are; bytes, since names inside may be any."""

    workspace: bytes
    inbox: bytes
    out: bytes

    @property
    def git(self) -> bytes:
        return self.workspace + b"/.git"

    @property
    def bundle(self) -> bytes:
        return self.out + b"/changes.bundle"


class Report:
    """What the host is told. Texts are cut and their odd characters spelled out; ids and refs are checked ones."""

    def __init__(self) -> None:
        self.head = {"kind": "unreadable", "name": ""}
        self.branches: list[dict[str, Any]] = []
        self.left: list[dict[str, str]] = []
        self.deleted: list[str] = []
        self.odd_refs = 0
        self.odd_names: list[str] = []
        self.other_refs = 0
        self.stash = False
        self.uncommitted = False
        self.salvaged = False
        self.problems: list[dict[str, str]] = []
        self.notes: list[str] = []

    def problem(self, code: str, text: str | bytes) -> None:
        if len(self.problems) < MAX_TEXTS:
            self.problems.append({"code": code, "text": spell(text)})

    def note(self, text: str | bytes) -> None:
        if len(self.notes) < MAX_TEXTS:
            self.notes.append(spell(text))

    def odd(self, name: bytes) -> None:
        self.odd_refs += 1
        if len(self.odd_names) < 10:
            self.odd_names.append(spell(name, 200))

    def leave(self, inside: str, sha: str, reason: str) -> None:
        if len(self.left) < MAX_TEXTS:
            self.left.append({"inside": inside, "sha": sha, "reason": spell(reason)})

    def write(self, out: bytes) -> None:
        partial = out + b"/report.json.partial"
        with open(partial, "w", encoding="ascii") as stream:
            json.dump({"version": 1, **vars(self)}, stream)
        os.rename(partial, out + b"/report.json")


def spell(text: str | bytes, limit: int = 1000) -> str:
    """`text` without control, format and undecodable characters, cut to `limit`."""
    if isinstance(text, bytes):
        text = text[: limit * 4].decode("utf-8", "backslashreplace")
    text = text[:limit]
    hidden = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return "".join(c if unicodedata.category(c) not in hidden else ascii(c)[1:-1] for c in text)


def read_request(inbox: bytes) -> Request:
    with open(inbox + b"/collect.json", encoding="utf-8") as stream:
        data = json.load(stream)
    if data["version"] != 1:
        raise ValueError("collect.json is not of version 1")
    refs = data["refs"]
    identity = data.get("identity", {})
    return Request(
        start=data["start"],
        head_branch=data["head_branch"],
        refs=refs,
        exclude=sorted(set(data.get("exclude", [data["start"], data["base"], *refs.values()]))),
        object_format=data["object_format"],
        max_branches=data.get("max_branches", 20),
        leftovers=data.get("leftovers", True),
        shallow=data.get("shallow", []),
        name=identity.get("name", "paddock"),
        email=identity.get("email", "paddock@localhost"),
        date=data.get("commit_date", ""),
        max_file=data.get("max_file", 100 * 1024 * 1024),
        step_seconds=data.get("step_seconds", 300.0),
    )


# ---- the hostile .git, read by hand


def scan(path: bytes) -> list[os.DirEntry[bytes]]:
    """The entries of a directory that is ours, although its mode may say otherwise."""
    try:
        entries = os.scandir(path)
    except PermissionError:
        os.chmod(path, 0o700)
        entries = os.scandir(path)
    with entries:
        return list(entries)


def is_plain(entry: os.DirEntry[bytes]) -> bool:
    return entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)


def read_file(path: bytes, limit: int) -> bytes:
    """The content of a regular file; raises OSError for anything else, without ever waiting for it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(f"larger than {limit} bytes")
    return data


def inspect_git(git: bytes, report: Report) -> None:
    """Look at the shape of `.git`; raises UnusableError when objects could come from somewhere else."""
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
            if not is_plain(each):
                text = b".git/objects" + each.path[len(objects) :] + b" is neither a file nor a directory"
                raise UnusableError("objects-special-file", spell(text))
        if entry.name == b"info" and {b"alternates", b"http-alternates"} & {each.name for each in inside}:
            raise UnusableError("objects-redirected", ".git/objects/info/alternates points to other repositories")


class Refs(NamedTuple):
    """What the agent's refs say: branches by plain name, and where HEAD is."""

    heads: dict[str, str]
    head_branch: str
    detached: str


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
    """Every branch and HEAD, by hand. Odd names, links and special files are counted and left alone."""
    packed = packed_refs(git, report)
    loose = list(walk_refs(git + b"/refs", report))
    kind, name, detached = read_head(git, request, report)
    report.head = {"kind": kind, "name": name}
    wanted = {HEADS + name, HEADS + request.head_branch, *request.refs}
    if len(loose) + len(packed) > MAX_REFS_READ:
        report.problem("too-many-refs", f"{len(loose) + len(packed)} refs; only the branches from the start count")
        loose = [ref for ref in loose if os.fsdecode(ref) in wanted]
        packed = {ref: sha for ref, sha in packed.items() if os.fsdecode(ref) in wanted}
    found = dict(packed)
    for ref in loose:
        try:
            found[ref] = read_file(git + b"/" + ref, 1024).strip()
        except OSError as error:
            report.problem("ref-unreadable", ref + b": " + str(error.strerror or error).encode())
    heads: dict[str, str] = {}
    for ref, sha in found.items():
        if not ref.startswith(HEADS.encode()):
            report.stash |= ref == b"refs/stash"
            report.other_refs += request.refs.get(os.fsdecode(ref)) != os.fsdecode(sha)
        elif not (text := plain_name(ref[len(HEADS) :])):
            report.odd(ref)
        elif is_id(sha, request.object_format):
            heads[text] = sha.decode("ascii")
        else:  # cut off by a full disk, say: there may be commits that only this branch led to
            report.problem("branch-unusable", f"the branch {text} holds no id")
    return Refs(heads, name if kind == "branch" else "", detached)


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


def walk_refs(top: bytes, report: Report) -> Iterator[bytes]:
    """The loose refs below `refs`, as paths that begin with `refs/`; nothing is opened and no link followed."""
    if not os.path.lexists(top) or not stat.S_ISDIR(os.lstat(top).st_mode):
        report.problem("ref-special-file", ".git/refs is not a directory")
        return
    waiting = [(top, 0)]
    seen = 0
    while waiting:
        folder, depth = waiting.pop()
        for entry in scan(folder):
            seen += 1
            if seen > MAX_REFS or depth > MAX_REF_DEPTH:
                report.problem("too-many-refs", f"more than {MAX_REFS} refs, or deeper than {MAX_REF_DEPTH}")
                return
            if entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, depth + 1))
            elif entry.is_file(follow_symlinks=False):
                if not entry.name.endswith(b".lock"):
                    yield entry.path[len(top) - 4 :]
            else:
                report.problem("ref-special-file", b".git/" + entry.path[len(top) - 4 :] + b" is not a regular file")


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


Tips = dict[str, tuple[str, str]]
"""Bundle ref -> (branch inside, its tip); a detached HEAD has no branch."""


# ---- git, in repositories of ours


class Repository:
    """A bare repository made by hand; with `objects`, it borrows those of the workspace."""

    def __init__(self, path: bytes, request: Request, places: Places, objects: list[bytes]) -> None:
        self.path, self.request, self.places = path, request, places
        for folder in (b"/objects/info", b"/objects/pack", b"/refs/paddock/other", b"/info"):
            os.makedirs(path + folder)
        sha256 = request.object_format == "sha256"
        extensions = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
        self.put(b"HEAD", b"ref: refs/paddock/none\n")
        self.put(b"config", CONFIG.format(version=int(sha256), extensions=extensions).encode())
        self.put(b"objects/info/alternates", b"".join(line + b"\n" for line in objects))
        if request.shallow:
            self.put(b"shallow", "".join(sha + "\n" for sha in request.shallow).encode())

    def put(self, name: bytes, data: bytes) -> None:
        with open(self.path + b"/" + name, "wb") as stream:
            stream.write(data)

    def try_git(self, *argv: str | bytes, stdin: bytes = b"", work_tree: bool = False) -> tuple[int, bytes, str]:
        """(exit code, output, errors) of one git process; raises StepError when it takes too long."""
        environment = {**ENVIRONMENT, "GIT_DIR": os.fsdecode(self.path)}
        environment["GIT_INDEX_FILE"] = os.fsdecode(self.path + b"/index")
        for role in ("AUTHOR", "COMMITTER"):
            environment[f"GIT_{role}_NAME"], environment[f"GIT_{role}_EMAIL"] = self.request.name, self.request.email
            environment |= {f"GIT_{role}_DATE": self.request.date} if self.request.date else {}
        if work_tree:
            environment["GIT_WORK_TREE"] = os.fsdecode(self.places.workspace)
        with open(self.path + b"/stderr", "w+b") as errors:
            process = subprocess.Popen(
                ["git", *argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                cwd=self.places.workspace if work_tree else self.path,
                start_new_session=True,
            )
            try:
                output, _ = process.communicate(stdin, timeout=self.request.step_seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                raise StepError(f"git {os.fsdecode(argv[0])} took longer than {self.request.step_seconds} s") from None
            errors.seek(0)
            return process.returncode, output, errors.read(KEPT_STDERR).decode("utf-8", "backslashreplace").strip()

    def git(self, *argv: str | bytes, stdin: bytes = b"", work_tree: bool = False) -> bytes:
        """The output of one git process that must succeed; raises StepError otherwise."""
        code, output, errors = self.try_git(*argv, stdin=stdin, work_tree=work_tree)
        if code != 0:
            raise StepError(f"git {os.fsdecode(argv[0])} failed: {errors[-500:]}")
        return output

    def kinds(self, names: list[str]) -> dict[str, str]:
        """What each revision is: commit, tree, tag, blob, or missing."""
        if not names:
            return {}
        lines = self.git("cat-file", "--batch-check=%(objecttype)", stdin="".join(f"{n}\n" for n in names).encode())
        answers = (line if b" " not in line else b"missing" for line in lines.splitlines())
        return {name: answer.decode() for name, answer in zip(names, answers, strict=True)}


# ---- what was left uncommitted


class Survey:
    """One walk over the work tree, so that git then meets nothing that it would run, enter or wait for."""

    def __init__(self, places: Places, max_file: int) -> None:
        self.aside: list[bytes] = []
        self.nested: list[bytes] = []
        self.large: list[bytes] = []
        self.unreachable = 0
        waiting = [places.workspace]
        seen = 0
        while waiting and seen <= MAX_TREE_ENTRIES:
            folder = waiting.pop()
            for entry in self._entries(folder):
                seen += 1
                if entry.name == b".git":
                    if folder != places.workspace:
                        self.aside.append(entry.path)
                        self.nested.append(folder[len(places.workspace) + 1 :])
                elif entry.is_dir(follow_symlinks=False):
                    if folder != places.workspace or not entry.name.startswith(ASIDE):
                        waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    self._file(entry, max_file, len(places.workspace) + 1)
                elif entry.name in (b".gitignore", b".gitattributes") and not entry.is_symlink():
                    self.aside.append(entry.path)
        self.unreachable += len(waiting)

    def _entries(self, folder: bytes) -> list[os.DirEntry[bytes]]:
        try:
            if len(folder) > MAX_PATH:
                raise OSError("too deep")
            mode = os.lstat(folder).st_mode
            if mode & 0o700 != 0o700:  # git needs to list and enter it, and things may have to be moved out of it
                os.chmod(folder, stat.S_IMODE(mode) | 0o700)
            return scan(folder)
        except OSError:
            self.unreachable += 1
            return []

    def _file(self, entry: os.DirEntry[bytes], max_file: int, skip: int) -> None:
        with contextlib.suppress(OSError):
            status = entry.stat(follow_symlinks=False)
            if not status.st_mode & stat.S_IRUSR:
                os.chmod(entry.path, stat.S_IMODE(status.st_mode) | stat.S_IRUSR)
            if status.st_size > max_file:
                self.large.append(entry.path[skip:])


@contextlib.contextmanager
def set_aside(repository: Repository, paths: list[bytes]) -> Iterator[None]:
    """Move `paths` where git does not look, and back. A nested repository is then a plain folder with files in it.

    git enters nested repositories (`git add` runs `git status` there, with the agent's configuration) and opens
    .gitignore and .gitattributes even when they are FIFOs.
    """
    place = repository.places.workspace + b"/" + ASIDE + os.urandom(8).hex().encode()
    repository.put(b"info/exclude", b"/" + ASIDE + b"*/\n")  # those of a collector that was killed, too
    moved: list[tuple[bytes, bytes]] = []
    try:
        if paths:
            os.mkdir(place)
        for number, path in enumerate(paths):
            os.rename(path, place + b"/%d" % number)
            moved.append((place + b"/%d" % number, path))
        yield
    finally:
        for there, here in reversed(moved):
            os.rename(there, here)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(place)


def save_work_tree(repository: Repository, parent: str | None, report: Report) -> str:
    """The id of a commit that holds the work tree as it is, on `parent`; nothing when there is no difference.

    Raises StepError when git cannot do it. Honours the tree's own .gitignore and .gitattributes and nothing else.
    """
    places, request = repository.places, repository.request
    survey = Survey(places, request.max_file)
    if survey.unreachable:
        report.problem("leftovers-incomplete", f"{survey.unreachable} folders are too deep or cannot be read")
    for path in survey.nested:
        report.problem("nested-repository", path + b" is a repository of its own: its files are taken, its history not")
    load_index(repository, parent)
    with set_aside(repository, survey.aside):
        if survey.nested and parent:
            forget_gitlinks(repository, survey.nested)
        skipped = skip_large(repository, survey.large, report)
        add_all(repository, skipped, report)
    tree = repository.git("write-tree").decode().strip()
    if parent and tree == repository.git("rev-parse", "--verify", "-q", parent + "^{tree}").decode().strip():
        return ""
    parents = ["-p", parent] if parent else []
    return repository.git("commit-tree", tree, *parents, "-m", MESSAGE).decode().strip()


def load_index(repository: Repository, parent: str | None) -> None:
    """An index of `parent`; the pristine one from the host spares git from reading every unchanged file."""
    index = repository.path + b"/index"
    given = repository.places.inbox + b"/base.index"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(index)
    if parent is None:
        return
    if os.path.exists(given):
        shutil.copyfile(given, index)
        status = os.stat(given)
        os.utime(index, ns=(status.st_atime_ns, status.st_mtime_ns))  # git tells by it which entries are racy
        if repository.try_git("read-tree", "-m", parent)[0] == 0:
            return
        os.unlink(index)
    repository.git("read-tree", parent)


def forget_gitlinks(repository: Repository, nested: list[bytes]) -> None:
    """Links that the agent made to repositories of its own would lead nowhere; their files are taken instead."""
    before = gitlinks(repository.git("ls-tree", "-r", "-z", repository.request.start))
    now = gitlinks(repository.git("ls-files", "-s", "-z"))
    lost = sorted((now - before) & set(nested))
    if lost:
        stdin = b"".join(path + b"\0" for path in lost)
        repository.git("update-index", "--force-remove", "-z", "--stdin", stdin=stdin, work_tree=True)


def gitlinks(listing: bytes) -> set[bytes]:
    return {entry.partition(b"\t")[2] for entry in listing.split(b"\0") if entry.startswith(b"160000 ")}


def skip_large(repository: Repository, large: list[bytes], report: Report) -> list[bytes]:
    """Those of the large files that git would take now: they are reported, and left behind."""
    skipped: set[bytes] = set()
    for at in range(0, len(large), 500):
        specs = [b":(top,literal)" + path for path in large[at : at + 500]]
        wanted = ("-z", "--others", "--modified", "--exclude-standard", "--")
        skipped |= set(repository.git("ls-files", *wanted, *specs, work_tree=True).split(b"\0")) - {b""}
    for path in sorted(skipped):
        report.problem("leftovers-too-large", path + b" is larger than %d bytes" % repository.request.max_file)
    return sorted(skipped)


def add_all(repository: Repository, skipped: list[bytes], report: Report) -> None:
    """`git add -A`; when the tree's own attributes stop it (an encoding that is none), once more without them."""
    specs = [b":(top)", *(b":(top,exclude,literal)" + path for path in skipped)]
    argv = ("add", "-A", "--ignore-errors", "--pathspec-from-file=-", "--pathspec-file-nul")
    stdin = b"\0".join(specs) + b"\0"
    code, _, errors = repository.try_git(*argv, stdin=stdin, work_tree=True)
    if code not in (0, 1):
        repository.put(b"info/attributes", b"* -text -ident -filter -working-tree-encoding\n")
        code, _, errors = repository.try_git(*argv, stdin=stdin, work_tree=True)
    if code not in (0, 1):
        raise StepError(f"git add failed: {errors[-500:]}")
    if errors:
        report.problem("leftovers-incomplete", "git says: " + " | ".join(errors.splitlines()[:5]))


# ---- the whole


def collect(places: Places, request: Request, report: Report) -> None:
    """Decide what moved, save what was left, write the bundle. Whatever fails is reported, and the rest goes on."""
    scratch = places.out + b"/scratch"
    os.mkdir(scratch)
    try:
        try:
            inspect_git(places.git, report)
            refs = read_refs(places.git, request, report)
        except (UnusableError, OSError) as error:
            code, text = error.args if isinstance(error, UnusableError) else ("git-unreadable", str(error))
            report.problem(code, text)
            salvage(scratch, places, request, report, {})
            return
        repository = Repository(scratch + b"/repository", request, places, [places.git + b"/objects"])
        tips = choose(repository, refs, report)
        add_leftovers(repository, tips, refs, report)
        others = bundle(repository, tips, report)
        if others is not None:
            salvage(scratch, places, request, report, others)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def choose(repository: Repository, refs: Refs, report: Report) -> Tips:
    """Bundle ref -> (name inside, tip) of every branch that moved; the checked-out one is the primary."""
    request = repository.request
    before = {ref[len(HEADS) :]: sha for ref, sha in request.refs.items() if ref.startswith(HEADS)}
    report.deleted = sorted(spell(name, 300) for name in before if name not in refs.heads)[:MAX_TEXTS]
    moved = {name: sha for name, sha in refs.heads.items() if before.get(name) != sha}
    current = refs.head_branch
    if current not in refs.heads:
        if current:
            report.head = {"kind": "unborn", "name": current}
            report.note(f"HEAD names the branch {current}, which has no commit")
        current = "" if refs.detached else request.head_branch
    if refs.detached and refs.detached != before.get(request.head_branch):
        moved[""] = refs.detached
    kinds = repository.kinds(sorted(set(moved.values())))
    tips: Tips = {}
    for name in sorted(moved, key=lambda each: (each != current, each)):
        sha = moved[name]
        if kinds[sha] != "commit":
            code = "primary-unusable" if name == current else "branch-unusable"
            report.problem(code, f"the branch {name or '(detached HEAD)'} points to {sha}: {kinds[sha]}, not a commit")
        elif name == current:
            tips[PRIMARY] = (name, sha)
        elif len([ref for ref in tips if ref != PRIMARY]) < request.max_branches:
            tips[f"{OTHER}/{len(tips) - (PRIMARY in tips)}"] = (name, sha)
        else:
            report.leave(name, sha, f"more than {request.max_branches} branches moved")
    return tips


def add_leftovers(repository: Repository, tips: Tips, refs: Refs, report: Report) -> None:
    """Put uncommitted work on top of the checked-out branch, or of where the agent began."""
    request = repository.request
    if not request.leftovers:
        return
    name = refs.head_branch if refs.head_branch in refs.heads else "" if refs.detached else request.head_branch
    standing = refs.detached if not name else refs.heads.get(name, request.start)
    try:
        kinds = repository.kinds([standing, request.start])
        usable = [sha for sha in (standing, request.start) if kinds[sha] == "commit"]
        commit = save_work_tree(repository, usable[0] if usable else None, report)
    except (StepError, OSError) as error:
        report.problem("leftovers-failed", f"uncommitted work could not be saved: {error}")
        return
    if commit:
        tips[PRIMARY] = (name, commit)
        report.uncommitted = True


def bundle(repository: Repository, tips: Tips, report: Report) -> Tips | None:
    """Write the bundle of `tips`, leaving out broken ones.

    None when that is done; where the primary itself is broken, the other branches that are to go with what is salvaged.
    """
    excluded = exclusions(repository, report)
    wanted = {ref: tip for ref, tip in tips.items() if tip[1] not in excluded}
    for ref, (_, sha) in wanted.items():
        repository.put(ref.encode(), sha.encode() + b"\n")
    if write_bundle(repository, list(wanted), excluded):
        for ref, tip in list(wanted.items()):
            if why := write_bundle(repository, [ref], excluded):
                code = "primary-unusable" if ref == PRIMARY else "branch-unusable"
                report.problem(code, f"the branch {tip[0] or '(detached HEAD)'} is broken: {why}")
                del wanted[ref]
        if PRIMARY in tips and PRIMARY not in wanted and tips[PRIMARY][1] not in excluded:
            report.uncommitted = False
            return wanted
        if failure := write_bundle(repository, list(wanted), excluded):
            report.problem("bundle-failed", failure)
            return {}
    told = {ref: tip for ref, tip in tips.items() if ref in wanted or tip[1] in excluded}
    tell_branches(repository.places, told, repository.request, report)
    return None


def exclusions(repository: Repository, report: Report) -> list[str]:
    """The commits that the host has, as far as they are still here."""
    kinds = repository.kinds(repository.request.exclude)
    for sha, kind in kinds.items():
        if kind != "commit":
            report.problem("base-missing", f"the commit {sha} from the start is gone ({kind})")
    return [sha for sha, kind in kinds.items() if kind == "commit"]


def write_bundle(repository: Repository, refs: list[str], excluded: list[str]) -> str:
    """Make changes.bundle; what went wrong, or nothing. Without anything new there is no bundle."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(repository.places.bundle)
    if not refs:
        return ""
    lines = "".join(f"{line}\n" for line in [*refs, *("^" + sha for sha in excluded)])
    try:
        code, _, errors = repository.try_git(
            "bundle", "create", "-q", repository.places.bundle, "--stdin", stdin=lines.encode()
        )
    except StepError as error:
        code, errors = 1, str(error)
    if code == 0:
        return ""
    for name in (b"", b".lock"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(repository.places.bundle + name)
    return "" if "empty bundle" in errors else errors[-500:] or "git bundle failed"


def tell_branches(places: Places, tips: Tips, request: Request, report: Report) -> None:
    """Report what the bundle really carries: git leaves out a branch that has nothing new."""
    head = b""
    with contextlib.suppress(FileNotFoundError), open(places.bundle, "rb") as stream:
        head = stream.read(1024 * 1024).partition(b"\n\n")[0]
    carried = {line.partition(b" ")[2].decode("utf-8", "replace") for line in head.split(b"\n")}
    for ref, (name, sha) in tips.items():
        before = request.refs.get(HEADS + name)
        if ref in carried:
            report.branches.append({"inside": name, "ref": ref, "sha": sha, "before": before})
        else:
            report.leave(name, sha, "it holds nothing new" + (f", and was moved away from {before}" if before else ""))


def salvage(scratch: bytes, places: Places, request: Request, report: Report, others: Tips) -> None:
    """With the agent's history unusable, its files are still saved: as one commit without parents."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(places.bundle)
    if not request.leftovers:
        return
    # Borrows no objects: git would take a broken one of the workspace for one that need not be written.
    repository = Repository(scratch + b"/salvage", request, places, [])
    try:
        commit = save_work_tree(repository, None, report)
    except (StepError, OSError) as error:
        report.problem("leftovers-failed", f"the work tree could not be saved: {error}")
        return
    tips = {PRIMARY: (request.head_branch, commit)}
    repository.put(PRIMARY.encode(), commit.encode() + b"\n")
    if failure := write_bundle(repository, [PRIMARY], []):
        report.problem("bundle-failed", failure)
        return
    if others and not add_others(repository, others):
        for name, sha in others.values():
            report.leave(name, sha, "it could not be bundled with what was salvaged")
        others = {}
    report.problem("salvaged", "the work tree was saved as one commit without history")
    report.salvaged = report.uncommitted = True
    tell_branches(places, tips | others, request, report)


def add_others(repository: Repository, others: Tips) -> bool:
    """Bundle the sound branches with the salvaged commit; when that fails, the bundle of the commit alone stays."""
    repository.put(b"objects/info/alternates", repository.places.git + b"/objects\n")
    for ref, (_, sha) in others.items():
        repository.put(ref.encode(), sha.encode() + b"\n")
    excluded = [sha for sha, kind in repository.kinds(repository.request.exclude).items() if kind == "commit"]
    if not write_bundle(repository, [PRIMARY, *others], excluded):
        return True
    repository.put(b"objects/info/alternates", b"")
    write_bundle(repository, [PRIMARY], [])
    return False


def told_to_go(path: str) -> bool:
    """Tell the host that we stand ready; until it says `go`, when the agent is dead, nothing of it is looked at."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.connect(path)
        control.sendall(b"ready\n")
        return control.recv(16) == b"go\n"


def main(argv: list[str]) -> int:
    """Collect as the request says. The exit code is 0 whenever there is a report to read."""
    options = {"--workspace": "/workspace", "--in": "/paddock/in", "--out": "/out", "--wait": ""}
    options |= dict(zip(argv[::2], argv[1::2], strict=True))
    if options["--wait"] and not told_to_go(options["--wait"]):
        return NOT_TOLD
    places = Places(*(os.fsencode(options[name]) for name in ("--workspace", "--in", "--out")))
    report = Report()
    try:
        collect(places, read_request(places.inbox), report)
    except Exception as error:  # noqa: BLE001 - whatever this is, the host must hear of it
        report.problem("collector-failed", f"{type(error).__name__}: {error}")
    report.write(places.out)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
