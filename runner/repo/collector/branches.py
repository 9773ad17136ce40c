"""Which branches moved since the start, and what of them the host is told."""

from __future__ import annotations

import contextlib

from dot_git import HEADS, Refs
from report import MAX_TEXTS, Report, spell
from repository import Repository
from request import Places, Request

PRIMARY = "refs/paddock/primary"
OTHER = "refs/paddock/other"

Tips = dict[str, tuple[str, str]]
"""Bundle ref -> (branch inside, its tip); a detached HEAD has no branch."""


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
        elif place := free_place(tips, request):
            tips[place] = (name, sha)
        else:
            report.leave(name, sha, f"more than {request.max_branches} branches moved")
    return tips


def free_place(tips: Tips, request: Request) -> str:
    """The bundle's next ref, or nothing when there are enough."""
    number = len(tips) - (PRIMARY in tips)
    return f"{OTHER}/{number}" if number < request.max_branches else ""


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
            moved = f", and was moved away from {before}" if before else ""
            report.leave(name, sha, "it holds nothing new" + moved, holds_work=False)
