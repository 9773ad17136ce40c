"""What was left uncommitted, saved as a commit of ours."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence

from artifacts import unknown_to_git
from branches import PRIMARY, Tips
from deletions import forget_deleted
from dot_git import Refs, scan
from report import Report
from repository import Repository, StepError
from request import Places

MAX_TREE_ENTRIES = 5_000_000
MAX_PATH = 4_000
MOST_AT_ONCE = 1024 * 1024

MESSAGE = "paddock: uncommitted work"
ASIDE = b".paddock-aside-"


def add_leftovers(repository: Repository, tips: Tips, refs: Refs, report: Report, taken: list[bytes]) -> None:
    """Put uncommitted work on top of the checked-out branch, or of where the agent began.

    The files at `taken` are handed over as artifacts: those that git does not know are no part of the commit.
    """
    request = repository.request
    if not request.leftovers:
        return
    name = refs.head_branch if refs.head_branch in refs.heads else "" if refs.detached else request.head_branch
    standing = refs.detached if not name else refs.heads.get(name, request.start)
    try:
        kinds = repository.kinds([standing, request.start])
        usable = [sha for sha in (standing, request.start) if kinds[sha] == "commit"]
        commit = save_work_tree(repository, usable[0] if usable else None, report, taken if usable else [])
    except (StepError, OSError) as error:
        report.problem("leftovers-failed", f"uncommitted work could not be saved: {error}")
        return
    if commit:
        tips[PRIMARY] = (name, commit)
        report.uncommitted = True


def save_work_tree(repository: Repository, parent: str | None, report: Report, taken: Sequence[bytes] = ()) -> str:
    """The id of a commit that holds the work tree as it is, on `parent`; nothing when there is no difference.

    Raises StepError when git cannot do it. Honours the tree's own .gitignore and .gitattributes and nothing else.
    """
    places, request = repository.places, repository.request
    survey = Survey(places, request.max_file)
    if survey.unreachable:
        report.problem("leftovers-incomplete", f"{survey.unreachable} folders are too deep or cannot be read")
    if survey.aside and request.moves_nothing:
        raise StepError("there are nested repositories, which would have to be moved")
    for name in survey.aside_before[:5]:
        report.problem("leftovers-incomplete", name + b" is left out: a collector that was killed had moved it there")
    load_index(repository, parent, report)
    forget_deleted(repository, survey.seen)
    with set_aside(repository, survey.aside):
        tell_nested(repository, survey.nested, report)
        if survey.nested and parent:
            forget_gitlinks(repository, survey.nested)
        skipped = skip_large(repository, survey.large, report) + unknown_to_git(repository, taken)
        add_all(repository, skipped, report)
    tree = repository.git("write-tree").decode().strip()
    if parent and tree == repository.ask([parent + "^{tree}"])[0][0]:
        return ""
    parents = ["-p", parent] if parent else []
    return repository.git("commit-tree", tree, *parents, "-m", MESSAGE).decode().strip()


class Survey:
    """One walk over the work tree, so that git then meets nothing that it would run, enter or wait for."""

    def __init__(self, places: Places, max_file: int) -> None:
        self.aside: list[bytes] = []
        self.nested: list[bytes] = []
        self.large: list[bytes] = []
        self.aside_before: list[bytes] = []
        self.unreachable = 0
        self.seen = 0
        waiting = [places.workspace]
        while waiting and self.seen <= MAX_TREE_ENTRIES:
            folder = waiting.pop()
            for entry in self._entries(folder):
                self.seen += 1
                if entry.name == b".git":
                    if folder != places.workspace:
                        self.aside.append(entry.path)
                        self.nested.append(folder[len(places.workspace) + 1 :])
                elif entry.is_dir(follow_symlinks=False):
                    if folder == places.workspace and entry.name.startswith(ASIDE):
                        self.aside_before.append(entry.name)
                    else:
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


def load_index(repository: Repository, parent: str | None, report: Report) -> None:
    """An index of `parent`; the pristine one from the host spares git from reading every unchanged file."""
    index = repository.path + b"/index"
    given = repository.places.inbox + b"/base.index"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(index)
    if parent is None:
        return
    if os.path.exists(given):
        with open(given, "rb") as source, open(index, "wb") as target:
            while piece := source.read(MOST_AT_ONCE):
                target.write(piece)
        status = os.stat(given)
        os.utime(index, ns=(status.st_atime_ns, status.st_mtime_ns))  # git tells by it which entries are racy
        if repository.try_git("read-tree", "-m", parent)[0] == 0:
            return
        os.unlink(index)
    try:
        repository.git("read-tree", parent)
    except StepError as error:  # the files are still here, and can be told from nothing
        report.problem("leftovers-incomplete", f"what is ignored of the tree before is left behind: {error}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(index)


def tell_nested(repository: Repository, nested: list[bytes], report: Report) -> None:
    """Report nested repositories, but for those that the tree itself says to ignore: of them nothing is collected."""
    stdin = b"".join(path + b"\0" for path in nested)
    ignored = repository.try_git("check-ignore", "-z", "--stdin", stdin=stdin, work_tree=True)[1] if nested else b""
    for path in sorted(set(nested) - set(ignored.split(b"\0"))):
        report.problem("nested-repository", path + b" is a repository of its own: its files are taken, its history not")


def forget_gitlinks(repository: Repository, nested: list[bytes]) -> None:
    """Links that the agent made to repositories of its own would lead nowhere; their files are taken instead."""
    code, listing, _ = repository.try_git("ls-tree", "-r", "-z", repository.request.start)
    before = gitlinks(listing) if code == 0 else set()
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
