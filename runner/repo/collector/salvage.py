"""Saves the files of a workspace whose history cannot be used."""

from __future__ import annotations

import contextlib
import os

from branches import PRIMARY, Tips, tell_branches
from bundle import write_bundle
from leftovers import save_work_tree
from report import Report
from repository import Repository, StepError
from request import Places, Request


def salvage(scratch: bytes, places: Places, request: Request, report: Report, others: Tips) -> None:
    """With the agent's history unusable, its files are still saved: as one commit without parents."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(places.bundle)
    if not request.leftovers:
        return
    # Borrows no objects: git would take a broken one of the workspace for one that need not be written.
    with contextlib.closing(Repository(scratch + b"/salvage", request, places, [])) as repository:
        save_without_history(repository, report, others)


def save_without_history(repository: Repository, report: Report, others: Tips) -> None:
    """The work tree in a repository of its own, and with it the branches that are sound."""
    places, request = repository.places, repository.request
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
