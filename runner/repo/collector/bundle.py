"""Writes changes.bundle, with as much of it as is sound."""

from __future__ import annotations

import contextlib
import os
import time

from branches import PRIMARY, Tips, tell_branches
from report import Report
from repository import Repository, StepError


def bundle(repository: Repository, tips: Tips, report: Report) -> Tips | None:
    """Write the bundle of `tips`, leaving out broken ones.

    None when that is done; where the primary itself is broken, the other branches that are to go with what is salvaged.
    """
    request = repository.request
    excluded = exclusions(repository, report)
    wanted = {ref: tips[ref] for ref in sorted(tips, key=lambda ref: ref != PRIMARY) if tips[ref][1] not in excluded}
    for ref, (_, sha) in wanted.items():
        repository.put(ref.encode(), sha.encode() + b"\n")
    repository.until = request.moment(0.6)
    if write_bundle(repository, list(wanted), excluded):
        wanted = sound_ones(repository, wanted, excluded, report)
        repository.until = request.moment(0.9)
        if PRIMARY in tips and PRIMARY not in wanted and tips[PRIMARY][1] not in excluded:
            report.uncommitted = False
            return wanted
        if failure := write_bundle(repository, list(wanted), excluded):
            report.problem("bundle-failed", failure)
            return {}
    told = {ref: tip for ref, tip in tips.items() if ref in wanted or tip[1] in excluded}
    tell_branches(repository.places, told, repository.request, report)
    return None


def sound_ones(repository: Repository, wanted: Tips, excluded: list[str], report: Report) -> Tips:
    """Those that can be bundled alone, each within its share of the time; the others are reported."""
    sound: Tips = {}
    for number, (ref, tip) in enumerate(wanted.items()):
        left = repository.request.moment(0.8) - time.monotonic()
        others = len(wanted) - number
        repository.until = time.monotonic() + left / (min(others, 2) if ref == PRIMARY else others)
        if why := write_bundle(repository, [ref], excluded):
            code = "primary-unusable" if ref == PRIMARY else "branch-unusable"
            report.problem(code, f"the branch {tip[0] or '(detached HEAD)'} is broken: {why}")
        else:
            sound[ref] = tip
    return sound


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
