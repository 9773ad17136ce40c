"""The repository that a run starts from: what it is, whether it can be used, and where its base stands.

git runs here as the repository's owner, which is whom its configuration belongs to. Nothing is written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.errors import RepositoryError
from runner.model.identity import Identity
from runner.repo.git import run_git
from runner.repo.layout import (
    READ_ENVIRONMENT,
    Layout,
    existing_directory,
    find_layout,
    git_user,
    owner_of,
    reason_of,
    shown,
    unreadable,
)

MAX_SHALLOW = 64 * 1024 * 1024

_HEX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LFS = re.compile(rb"^[^#\n]*\sfilter=lfs(?:\s|$)", re.MULTILINE)
_CLONES = "refs/remotes/origin/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A repository as it was found. Object ids are full and in lower case."""

    path: Path
    """The top of its work tree, or the bare repository."""
    git_dir: Path
    common_dir: Path
    """Differs from `git_dir` in a linked worktree."""
    object_dirs: tuple[Path, ...]
    """Its own objects first, then those of its alternates."""
    owner: Identity
    bare: bool
    head_branch: str
    """Without `refs/heads/`; empty if HEAD is detached."""
    head_sha: str
    """Empty if HEAD is a branch without a commit."""
    base_branch: str
    """The branch that was asked for, without `refs/heads/`; empty if the base is no branch."""
    base_sha: str
    base_tree: str
    base_is_root: bool
    """The base has no parents that this repository knows of."""
    object_format: str
    shallow: tuple[str, ...]
    has_submodules: bool
    has_lfs: bool
    branches: Mapping[str, str]
    """Full name and id of every branch; a bare clone's `refs/remotes/origin/x` counts as `refs/heads/x`."""
    tags: Mapping[str, str]

    @property
    def shown(self) -> str:
        """Where it is, as printable text."""
        return shown(self.path)

    def user(self, effective_uid: int) -> Identity | None:
        """Whom git has to become to work here; None if that is who we are."""
        return git_user(self.owner, effective_uid)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Refs:
    head_branch: str
    branches: Mapping[str, str]
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Object:
    id: str
    content: bytes


def inspect_source(path: str, base: str = "", *, effective_uid: int) -> Source:
    """What stands at `path` (anywhere in a work tree, or a bare repository) and where `base` is (empty: HEAD).

    Root works as the repository's owner; nobody else may use another user's repository. Raises RepositoryError with
    the reason and what to do, when the repository or the base cannot be used.
    """
    _check_base(base)
    place = existing_directory(path)
    owner = owner_of(place, effective_uid)
    user = git_user(owner, effective_uid)
    layout = find_layout(place, user)
    _refuse_partial_clone(layout, user)
    refs = _refs(layout, user)
    return _described(layout, refs, base, owner, user)


def _described(layout: Layout, refs: _Refs, base: str, owner: Identity, user: Identity | None) -> Source:
    head, start, attributes, modules = _objects(layout, base, user)
    if start is None:
        raise _no_base(layout, refs, base, has_head=head is not None)
    if "refs/heads/paddock" in refs.branches:
        raise RepositoryError(
            f"{shown(layout.path)} has a branch named paddock, so that no branch paddock/... can be made in it",
            hint="rename it: git branch -m paddock NEW-NAME",
        )
    return Source(
        path=layout.path,
        git_dir=layout.git_dir,
        common_dir=layout.common_dir,
        object_dirs=_object_dirs(layout, user),
        owner=owner,
        bare=layout.bare,
        head_branch=refs.head_branch,
        head_sha=head.id if head else "",
        base_branch=_base_branch(base, start.id, refs),
        base_sha=start.id,
        base_tree=start.content.partition(b"\n")[0].removeprefix(b"tree ").decode("ascii", "replace"),
        base_is_root=b"\nparent " not in start.content.partition(b"\n\n")[0],
        object_format=layout.object_format,
        shallow=_shallow(layout),
        has_submodules=modules is not None,
        has_lfs=attributes is not None and _LFS.search(attributes.content) is not None,
        branches=refs.branches,
        tags=refs.tags,
    )


def _check_base(base: str) -> None:
    if base.startswith("-"):
        raise RepositoryError(f"the base {shown(base)} begins with a dash and would be taken for an option")
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in base) or len(base) > 1000:
        raise RepositoryError(f"the base {shown(base[:80])} is not a revision: control characters or too long")


def _refuse_partial_clone(layout: Layout, user: Identity | None) -> None:
    try:
        packs = [entry.name for entry in os.scandir(layout.common_dir / "objects" / "pack")]
    except FileNotFoundError:
        packs = []
    except OSError as error:
        raise unreadable(layout.path, error.strerror or "it cannot be read") from error
    if not any(name.endswith(".promisor") for name in packs):
        return
    names = r"^(remote\..*\.promisor|extensions\.partialclone)$"
    asked = run_git(["config", "--get-regexp", names], git_dir=layout.git_dir, user=user, check=False)
    if asked.exit_code == 0:
        raise RepositoryError(
            f"{shown(layout.path)} is a partial clone: objects are missing that only its remote has",
            hint="make a full clone and use that: git clone URL",
        )


def _refs(layout: Layout, user: Identity | None) -> _Refs:
    places = ["refs/heads", "refs/tags", *([_CLONES] if layout.bare else [])]
    said = _ask(layout, ["for-each-ref", "--format=%(objectname) %(HEAD)%(refname)", *places], user)
    head, branches, tags, remote = "", {}, {}, {}
    for line in os.fsdecode(said).splitlines():
        sha, _, marked = line.partition(" ")
        name = marked[1:]
        if not _HEX.fullmatch(sha):
            continue
        if name.startswith("refs/heads/"):
            branches[name] = sha
            head = name.removeprefix("refs/heads/") if marked[0] == "*" else head
        elif name.startswith("refs/tags/"):
            tags[name] = sha
        elif name != f"{_CLONES}HEAD":
            remote["refs/heads/" + name.removeprefix(_CLONES)] = sha
    return _Refs(head_branch=head, branches={**remote, **branches}, tags=tags)


def _objects(layout: Layout, base: str, user: Identity | None) -> tuple[_Object | None, ...]:
    """HEAD's commit; the base's commit, `.gitattributes` and `.gitmodules`; None for what is not there."""
    found: tuple[_Object | None, ...] = ()
    for name in [base or "HEAD", *([f"{_CLONES}{base}"] if layout.bare and base else [])]:
        asked = [f"{spec}\n" for spec in ("HEAD^{commit}", f"{name}^{{commit}}")]
        asked += [f"{name}^{{commit}}:{file}\n" for file in (".gitattributes", ".gitmodules")]
        said = _ask(layout, ["cat-file", "--batch"], user, stdin=os.fsencode("".join(asked)))
        found = _parse_batch(said, len(asked))
        if found[1] is not None:
            break
    return found


def _parse_batch(said: bytes, count: int) -> tuple[_Object | None, ...]:
    found: list[_Object | None] = []
    for _ in range(count):
        line, _, said = said.partition(b"\n")
        words = line.decode("ascii", "replace").split(" ")
        if len(words) == 3 and _HEX.fullmatch(words[0]) and words[2].isdigit():
            size = int(words[2])
            found.append(_Object(words[0], said[:size]))
            said = said[size + 1 :]
        else:
            found.append(None)
    return tuple(found)


def _base_branch(base: str, sha: str, refs: _Refs) -> str:
    if base in {"", "HEAD", "@"}:
        return refs.head_branch
    name = base.removeprefix("refs/heads/")
    return name if refs.branches.get(f"refs/heads/{name}") == sha else ""


def _no_base(layout: Layout, refs: _Refs, base: str, *, has_head: bool) -> RepositoryError:
    if base in {"", "HEAD", "@"} or (not has_head and not refs.branches):
        return RepositoryError(
            f"{shown(layout.path)} has no commits yet on the branch that is checked out",
            hint="commit something, or name a branch that has commits: --base BRANCH",
        )
    names = [name.split("/", 2)[2] for name in (*refs.branches, *refs.tags)]
    import difflib  # for a mistake alone

    near = difflib.get_close_matches(base, names[:5000], n=3, cutoff=0.5) or names[:3]
    return RepositoryError(
        f"{shown(layout.path)} has no commit {shown(base)}",
        hint=f"there is {', '.join(map(shown, near))}" if near else "there are no branches",
    )


def _object_dirs(layout: Layout, user: Identity | None) -> tuple[Path, ...]:
    own = layout.common_dir / "objects"
    if not os.path.lexists(own / "info" / "alternates"):
        return (own,)
    said = os.fsdecode(_ask(layout, ["count-objects", "-v"], user)).splitlines()
    others = [line.removeprefix("alternate: ") for line in said if line.startswith("alternate: ")]
    return (own, *map(Path, others))


def _shallow(layout: Layout) -> tuple[str, ...]:
    if not layout.shallow:
        return ()
    try:
        descriptor = os.open(layout.common_dir / "shallow", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            lines = file.read(MAX_SHALLOW).decode("ascii", "replace").split()
    except OSError as error:
        raise unreadable(layout.path, error.strerror or "it cannot be read") from error
    return tuple(line for line in lines if _HEX.fullmatch(line))


def _ask(layout: Layout, argv: list[str], user: Identity | None, stdin: bytes | None = None) -> bytes:
    said = run_git(argv, git_dir=layout.git_dir, stdin=stdin, environment=READ_ENVIRONMENT, user=user, check=False)
    if said.exit_code != 0:
        raise unreadable(layout.path, reason_of(said))
    return said.stdout
