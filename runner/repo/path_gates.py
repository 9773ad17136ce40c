"""Gates that look at single paths: names, links, sizes, and what runs or steers something later on. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from runner.escape import escape_text, is_plain
from runner.model.result import Verdict
from runner.repo.evidence import BranchEvidence, Change, Evidence
from runner.repo.later import Where, runs_later
from runner.repo.spelling import fold, leaves, means_git, mixes_scripts

LARGE_FILE = 50 * 1024**2
HUGE_FILE = 1024**3
"""As much as a whole bundle may have: so small and yet so large are bombs alone."""
SYMLINK = 0o120000
GITLINK = 0o160000
LONGEST_PATH = 4096
LONGEST_PART = 255
"""Beyond these, no system makes such a file."""
SHOWN_PATH = 300
STEERING_NAMES = frozenset({".gitmodules", ".gitattributes", ".gitignore", ".mailmap"})

Found = tuple[Verdict, str]


def show_path(branch: BranchEvidence, path: bytes) -> str:
    """A path, and its branch where it is not the one to review first."""
    text = escape_text(path) if len(path) <= SHOWN_PATH else f"{escape_text(path[:SHOWN_PATH])}..."
    return text if branch.primary else f"{text} (branch {branch.inside or 'of the detached HEAD'})"


def present(evidence: Evidence) -> Iterator[tuple[BranchEvidence, Change]]:
    """Every path that was added or changed, and is there in the end."""
    return ((branch, change) for branch in evidence.branches for change in branch.changes if change.new_mode)


def names(evidence: Evidence) -> Iterator[Found | str]:
    """Names that escape the work tree, reach into a `.git`, or do not look like what they are."""
    for branch, change in present(evidence):
        text = change.path.decode("utf-8", "surrogateescape")
        parts = text.split("/")
        if any(part in ("", ".", "..") for part in parts):
            yield Verdict.BLOCKED, f"{show_path(branch, change.path)} leaves the work tree"
        elif any(means_git(piece) for part in parts for piece in part.split("\\")):
            yield Verdict.BLOCKED, f"{show_path(branch, change.path)} means .git on some file system"
        elif len(change.path) > LONGEST_PATH or any(len(part) > LONGEST_PART for part in parts):
            yield Verdict.BLOCKED, f"{show_path(branch, change.path)} is longer than the name of any file"
        elif not is_plain(text):
            yield f"{show_path(branch, change.path)} holds characters that are not shown or no UTF-8"
        elif change.status == "A" and any(map(mixes_scripts, parts)):
            yield f"{show_path(branch, change.path)} mixes letters of scripts that look alike"
    for branch in evidence.branches:
        for group in branch.spellings:
            shown = ", ".join(escape_text(path[:200]) for path in group[:4])
            yield f"{escape_text(fold(group[0]))} is there in {len(group)} spellings: {shown}"


def _steers_git(path: bytes) -> bool:
    return path.rpartition(b"/")[2].decode("utf-8", "replace").lower() in STEERING_NAMES


def symlinks(evidence: Evidence) -> Iterator[Found | str]:
    """Symlinks that lead out of the work tree, and files that steer git as symlinks."""
    for branch, change in present(evidence):
        if change.new_mode != SYMLINK:
            continue
        shown = show_path(branch, change.path)
        if _steers_git(change.path):
            yield Verdict.BLOCKED, f"{shown} is a symlink; git would read whatever it points to"
        elif change.target is None:
            yield f"{shown} is a symlink with a target that is none"
        elif why := leaves(change.path, change.target):
            yield f"{shown} -> {escape_text(change.target[:200])}: {why}"


def gitlinks(evidence: Evidence) -> Iterator[Found | str]:
    """Links to commits of other repositories."""
    for branch, change in present(evidence):
        if change.new_mode == GITLINK and _steers_git(change.path):
            yield Verdict.BLOCKED, f"{show_path(branch, change.path)} is a link to a commit; git takes it for a file"
        elif change.new_mode == GITLINK:
            yield f"{show_path(branch, change.path)} -> commit {change.sha[:12]} of another repository"


def gitmodules(evidence: Evidence) -> Iterator[str]:
    """Which other repositories a recursive clone fetches."""
    for branch, change in present(evidence):
        if fold(change.path.rpartition(b"/")[2]) == b".gitmodules":
            yield f"{show_path(branch, change.path)} changed: it says where submodules are fetched from"


def later(evidence: Evidence) -> Iterator[str]:
    """Files that run or steer something on the machine that checks this out: hooks, shells, editors, builds, tests."""
    return _of_kinds(evidence, "here")


def ci(evidence: Evidence) -> Iterator[str]:
    """Files that say what a forge runs, with the secrets that it holds, and who has to review what."""
    return _of_kinds(evidence, "ci")


def agents(evidence: Evidence) -> Iterator[str]:
    """Files that later agents take for instructions, or that start programs for them."""
    return _of_kinds(evidence, "agents")


def dependencies(evidence: Evidence) -> Iterator[str]:
    """Files that say which code of others is fetched, and from where."""
    return _of_kinds(evidence, "dependencies")


def _of_kinds(evidence: Evidence, concern: Where) -> Iterator[str]:
    """Changed files of one concern, what starts with the least of a person's doing first."""
    found: list[tuple[int, str]] = []
    for branch in evidence.branches:
        for change in branch.changes:
            kind = runs_later(change.path)
            if kind and kind.concern == concern:
                gone = ", deleted" if not change.new_mode else ""
                found.append((kind.place, f"{show_path(branch, change.path)} ({kind.name}{gone})"))
    return (text for _, text in sorted(found, key=lambda each: each[0]))


def large_files(evidence: Evidence) -> Iterator[Found | str]:
    """Content that makes every later clone slower, also where a later commit takes it out again."""
    seen = set()
    for branch, change in present(evidence):
        if (change.size or 0) > LARGE_FILE:
            yield _weighed(change.size or 0), f"{show_path(branch, change.path)} has {change.size} bytes"
        seen |= {change.sha, change.old_sha}
    for sha, size in evidence.past:
        if sha not in seen:
            yield _weighed(size), f"an object that only earlier commits have ({sha[:12]}) has {size} bytes"


def _weighed(size: int) -> Verdict:
    return Verdict.BLOCKED if size > HUGE_FILE else Verdict.FLAGGED
