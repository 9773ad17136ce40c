"""Commits that no plainly named branch leads to: in stashes, below odd names, tagged or noted only."""

from __future__ import annotations

from branches import Tips, free_place
from dot_git import HEADS, Refs, is_branch_name
from report import Report, spell
from repository import Repository, StepError

MAX_NAME = 150


def add_strays(repository: Repository, tips: Tips, refs: Refs, report: Report) -> None:
    """Let such commits come as branches (`stash`, `odd-1`, `tag-NAME`), as far as there is room for them.

    Only what builds on the agent's start comes: one unrelated tag would have the whole run rejected. What does not
    come is reported, so that the workspace is kept.
    """
    try:
        stray = unreached(repository, tips, refs.others)
        for ref, sha in sorted(stray, key=lambda each: order_of(each[0])):
            add_stray(repository, tips, (ref, sha), report)
    except StepError as error:
        report.problem("refs-unreadable", f"stashes, tags and branches with odd names could not be looked at: {error}")


def unreached(repository: Repository, tips: Tips, others: list[tuple[bytes, str]]) -> list[tuple[bytes, str]]:
    """The refs whose commits are neither below a tip nor known to the host, each commit once."""
    commits = repository.commits(sorted({sha for _, sha in others}))
    request = repository.request
    wanted: dict[str, bytes] = {}
    for ref, sha in others:
        if sha in commits:
            wanted.setdefault(commits[sha], ref)
    if not wanted:
        return []
    known = repository.commits(sorted({request.start, *request.exclude, *(sha for _, sha in tips.values())}))
    asked = "".join(f"{line}\n" for line in [*wanted, *("^" + sha for sha in known.values())])
    new = set(repository.git("rev-list", "--stdin", stdin=asked.encode()).decode("ascii").split())
    return [(ref, sha) for sha, ref in wanted.items() if sha in new]


def add_stray(repository: Repository, tips: Tips, stray: tuple[bytes, str], report: Report) -> None:
    """Give one a place in the bundle, or say why it has none."""
    ref, sha = stray
    shown, request = spell(ref, 300), repository.request
    place = free_place(tips, request)
    if not place:
        report.leave(shown, sha, f"more than {request.max_branches} branches moved")
    elif repository.try_git("merge-base", "--is-ancestor", request.start, sha)[0] != 0:
        report.leave(shown, sha, "it does not build on the commit that the agent was given")
    else:
        taken = {name for name, _ in tips.values()} | {name.removeprefix(HEADS) for name in request.refs}
        name = free_name(ref, taken)
        tips[place] = (name, sha)
        report.note(f"what {shown} leads to came as the branch {name}")


def free_name(ref: bytes, taken: set[str]) -> str:
    """`stash`, `tag-NAME`, `notes-NAME`; `odd-1` where the name is an odd one. A number where it is taken."""
    words = ref.decode("utf-8", "replace").split("/")[1:]
    plain = "-".join(["tag" if words[0] == "tags" else words[0], *words[1:]])
    if ref.startswith(HEADS.encode()) or not is_branch_name(plain) or len(plain.encode()) > MAX_NAME:
        plain = "odd"
    number, name = 1, "odd-1" if plain == "odd" else plain
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    return name


def order_of(ref: bytes) -> int:
    """What is most likely work comes first."""
    places = (b"refs/stash", HEADS.encode(), b"refs/tags/")
    return next((number for number, start in enumerate(places) if ref.startswith(start)), len(places))
