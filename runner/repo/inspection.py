"""Looks at the quarantine with plumbing commands: no pager, no driver, no filter, no signature is ever started."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable
from pathlib import Path

from runner.errors import GitError, StoreError
from runner.escape import escape_text
from runner.repo.added import MAX_SECONDS, Shown, look_at_added, show_changes
from runner.repo.authorship import is_a_matter, people_of
from runner.repo.evidence import (
    BranchEvidence,
    CarriedBranch,
    Change,
    CollectorReport,
    Commit,
    Evidence,
    Problem,
    Span,
)
from runner.repo.gates import MAX_CHANGED_FILES, MAX_COMMITS
from runner.repo.git import MIB, ProcessLimits, run_git
from runner.repo.listings import packed_sizes, parse_batch, parse_commit, parse_numstats, parse_raw_diff
from runner.repo.path_gates import LARGE_FILE, SYMLINK
from runner.repo.quarantine import INSPECTION_LIMITS, Quarantine, Reception
from runner.repo.spelling import spellings

MAX_LINK_TARGET = 4096
MAX_PATCH = 256 * MIB
MAX_HISTORY = 2_000
"""Commits of the user's own, in which people are looked up."""
STEPS = 4
"""So many steps may take as long as one may: twenty branches of slow ones would keep the host busy for hours."""
DIFF = ("-r", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=none")


def gather_evidence(  # noqa: PLR0913 - each is a word of its own at the call
    quarantine: Quarantine,
    report: CollectorReport,
    reception: Reception,
    *,
    start: str,
    span: Span | None = None,
    deadline: float = 60.0,
) -> Evidence:
    """Everything that the gates look at; `start` is the commit that the agent was given, `span` when it worked.

    What git cannot show within `deadline` seconds for one step, `STEPS` times that for all of them, and within its
    limits, is a problem that blocks.
    """
    until = time.monotonic() + STEPS * deadline
    problems = [*report.problems, *reception.problems]
    branches = []
    shown = []
    for branch in report.branches if not reception.problems else ():
        look = _Look(quarantine, start, deadline, until)
        try:
            branches.append(look.branch(branch))
            shown += [look.shown] if look.shown else []
        except (GitError, ValueError) as error:  # ListingError is one
            name = branch.inside or "the detached HEAD"
            problems.append(Problem(code="too-large-to-read", text=f"{name} cannot be looked at: {error}"))
    commits = {commit.sha: commit for branch in branches for commit in branch.commits}
    past: tuple[tuple[str, int], ...] = ()
    people: frozenset[str] = frozenset()
    try:
        past = large_objects(quarantine, over=LARGE_FILE) if branches else ()
        people = known_people(quarantine, start) if any(map(is_a_matter, commits.values())) else frozenset()
    except (GitError, ValueError) as error:
        problems.append(Problem(code="too-large-to-read", text=f"what came in cannot be looked at: {error}"))
    return Evidence(
        start=start,
        report=report,
        bundle_size=reception.size,
        branches=tuple(branches),
        problems=tuple(problems),
        added=look_at_added(shown),
        past=past,
        people=people,
        span=span,
    )


def known_people(quarantine: Quarantine, start: str) -> frozenset[str]:
    """Names and addresses of the last authors and committers before the agent began, in small letters."""
    argv = ["rev-list", f"--max-count={MAX_HISTORY}", "--no-commit-header", "--format=%an <%ae>%n%cn <%ce>", start]
    said = run_git(argv, git_dir=quarantine.git_dir, limits=INSPECTION_LIMITS, check=False).stdout
    lines = set(said.decode("utf-8", "surrogateescape").split("\n"))
    return frozenset(each for line in lines for each in people_of(escape_text(line)))


def large_objects(quarantine: Quarantine, *, over: int) -> tuple[tuple[str, int], ...]:
    """Ids and sizes of what came in and has more than `over` bytes; git packs at most a thousand into one."""
    packed = over // 1040
    found = []
    for index in sorted((quarantine.git_dir / "objects/pack").glob("*.idx")):
        end = index.with_suffix(".pack").stat().st_size
        if end <= packed:
            continue
        shown = run_git(
            ["show-index", f"--object-format={quarantine.object_format}"],
            stdin=index.read_bytes(),
            limits=INSPECTION_LIMITS,
        ).stdout
        found += [sha for sha, size in packed_sizes(shown, end) if size > packed]
    asked = "".join(f"{sha}\n" for sha in found).encode("ascii")
    argv = ["cat-file", "--batch-check=%(objectname) %(objectsize)"]
    said = run_git(argv, git_dir=quarantine.git_dir, stdin=asked, limits=INSPECTION_LIMITS).stdout if found else b""
    pairs = (line.split(" ") for line in said.decode("ascii").splitlines())
    return tuple((sha, int(size)) for sha, size in pairs if size.isdigit() and int(size) > over)


def write_patch(quarantine: Quarantine, start: str, head: str, path: Path, *, deadline: float = 60.0) -> bool:
    """Write the difference as a patch that `git apply` takes; False, and no file, when it is larger than MAX_PATCH.

    Raises StoreError when the file cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    argv = ["diff-tree", "-p", "--binary", "--full-index", "--src-prefix=a/", "--dst-prefix=b/", *DIFF, start, head]
    limits = ProcessLimits(memory=INSPECTION_LIMITS.memory, file_size=MAX_PATCH)
    try:
        partial.unlink(missing_ok=True)  # of a Paddock that died here
        with partial.open("xb") as stream:
            run_git(argv, git_dir=quarantine.git_dir, stdout=stream.fileno(), limits=limits, deadline=deadline)
        partial.rename(path)
    except GitError:
        partial.unlink()
        return False
    except OSError as error:
        raise StoreError(f"the patch cannot be written: {error.strerror}") from error
    return True


class _Look:
    """The questions about one branch."""

    def __init__(self, quarantine: Quarantine, start: str, deadline: float, until: float) -> None:
        self.quarantine, self.start, self.step, self.until = quarantine, start, deadline, until
        self.shown: Shown | None = None

    @property
    def deadline(self) -> float:
        """Seconds that the next step may take."""
        return min(self.step, max(self.until - time.monotonic(), 0.1))

    def branch(self, branch: CarriedBranch) -> BranchEvidence:
        return BranchEvidence(
            inside=branch.inside,
            ref=branch.ref,
            head=branch.sha,
            descends=self._descends(branch.sha),
            commits=self._commits(branch.sha),
            changes=(changes := self._changes(branch.sha)),
            spellings=self._spellings(branch.sha, changes),
        )

    def _git(self, *argv: str, asked: Iterable[str] = ()) -> bytes:
        stdin = "".join(f"{line}\n" for line in asked).encode("ascii")
        return run_git(
            argv, git_dir=self.quarantine.git_dir, stdin=stdin, limits=INSPECTION_LIMITS, deadline=self.deadline
        ).stdout

    def _descends(self, head: str) -> bool:
        argv = ["merge-base", "--is-ancestor", self.start, head]
        said = run_git(argv, git_dir=self.quarantine.git_dir, deadline=self.deadline, check=False)
        if said.exit_code not in (0, 1):
            raise GitError(f"git merge-base failed: {said.stderr[-500:]}")
        return said.exit_code == 0

    def _commits(self, head: str) -> tuple[Commit, ...]:
        limit = f"--max-count={MAX_COMMITS + 1}"
        shas = self._git("rev-list", "--topo-order", "--reverse", limit, head, f"^{self.start}").decode().split()
        raw = parse_batch(self._git("cat-file", "--batch", asked=shas))
        stats = self._stats(shas)
        commits = []
        for sha in shas:
            files, insertions, deletions = stats[sha]
            commit = parse_commit(sha, raw.get(sha, b""))
            commits.append(dataclasses.replace(commit, files=files, insertions=insertions, deletions=deletions))
        return tuple(commits)

    def _stats(self, shas: list[str]) -> dict[str, tuple[int, int, int]]:
        """How much each commit changes; what of it could be shown in whole is kept to be looked at."""
        if not shas:
            return {}
        self.shown = show_changes(self.quarantine, shas, deadline=min(MAX_SECONDS, self.deadline))
        stats = dict.fromkeys(shas, (0, 0, 0)) | (seen := self.shown.patch.numstats())
        if not self.shown.unread:
            return stats
        rest = shas[shas.index(list(seen)[-1]) :] if seen else shas  # the last one may have been cut off
        argv = ("diff-tree", "--stdin", "--root", "--diff-merges=first-parent", "-z", "--numstat", *DIFF)
        return stats | parse_numstats(self._git(*argv, asked=rest), rest)

    def _changes(self, head: str) -> tuple[Change, ...]:
        changes = parse_raw_diff(self._git("diff-tree", "-z", "--raw", "--no-abbrev", *DIFF, self.start, head))
        looked = changes[: MAX_CHANGED_FILES + 1]
        blobs = sorted({each.sha for each in looked if each.new_mode and each.new_mode & 0o170000 != 0o160000})
        lines = self._git("cat-file", "--batch-check=%(objectsize)", asked=blobs).split(b"\n") if blobs else []
        sizes = {sha: int(line) for sha, line in zip(blobs, lines, strict=False) if line.isdigit()}
        links = {each.sha for each in looked if each.new_mode == SYMLINK and sizes.get(each.sha, 0) <= MAX_LINK_TARGET}
        targets = parse_batch(self._git("cat-file", "--batch", asked=sorted(links))) if links else {}
        return tuple(
            dataclasses.replace(
                each, size=sizes.get(each.sha), target=targets.get(each.sha) if each.new_mode == SYMLINK else None
            )
            for each in looked
        )

    def _spellings(self, head: str, changes: Iterable[Change]) -> tuple[tuple[bytes, ...], ...]:
        added = [change.path for change in changes if change.new_mode and not change.old_mode]
        return spellings(added, self._git("ls-tree", "-r", "-t", "-z", "--name-only", head)) if added else ()
