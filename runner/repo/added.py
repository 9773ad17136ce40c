"""What new commits add, line by line: credentials, Git LFS pointers, and characters that deceive a reader."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import GitError
from runner.model.quantities import format_size
from runner.repo.added_lines import ARGUMENTS, Patch
from runner.repo.evidence import Added, Finding
from runner.repo.git import MIB, GitOverflowError, ProcessLimits, run_git
from runner.repo.quarantine import INSPECTION_LIMITS, Quarantine
from runner.repo.secrets import find_secrets

MAX_LINES = 32 * MIB
"""Of patches; what comes after is not looked at, and a finding says so."""
MAX_SECONDS = 20.0
MAX_FOUND = 200
MAX_POSITIONS = 1_000_000

POINTER = b"\n+version https://git-lfs.github.com/spec/v1\n+"
_POINTS = re.compile(rb"(?:ext-|oid |size )")

HIDDEN: tuple[tuple[str, tuple[bytes, ...], bytes], ...] = (
    (
        "turns the order of characters around",
        (b"\xe2\x80", b"\xe2\x81"),
        rb"\xe2(?:\x80[\xaa-\xae]|\x81[\xa6-\xa9])",  # U+202A to U+202E, U+2066 to U+2069
    ),
    # A flag's emoji has six of them at most.
    ("text in invisible tag characters", (b"\xf3\xa0",), rb"(?:\xf3\xa0[\x80\x81][\x80-\xbf]){8}"),
    ("text in invisible variation selectors", (b"\xf3\xa0\x84",), rb"(?:\xf3\xa0[\x84-\x87][\x80-\xbf]){4}"),
)
"""What it does, the characters, and what has to stand there: CVE-2021-42574, and what models read and people do not."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What git shows of the changes that some commits make to their first parents."""

    patch: Patch
    unread: str = ""
    """Why that is not all; empty when it is."""


def show_changes(quarantine: Quarantine, commits: Sequence[str], *, deadline: float = MAX_SECONDS) -> Shown:
    """What the commits change. Raises GitError when git cannot be started, and never for what is too much."""
    file: Path = quarantine.git_dir / "added.patch"
    unread = ""
    with file.open("xb+") as stream:
        file.unlink()
        try:
            run_git(
                ARGUMENTS,
                git_dir=quarantine.git_dir,
                stdin="".join(f"{sha}\n" for sha in commits).encode("ascii"),
                stdout=stream.fileno(),
                limits=ProcessLimits(memory=INSPECTION_LIMITS.memory, file_size=MAX_LINES),
                deadline=deadline,
            )
        except GitOverflowError:
            unread = f"changes of more than {format_size(MAX_LINES)} were looked at only so far"
        except GitError as error:
            unread = f"not all changes were looked at: {error.message}"
        stream.seek(0)
        return Shown(Patch(stream.read(MAX_LINES)), unread)


def look_at_added(shown: Sequence[Shown]) -> Added:
    """What is found in added lines."""
    secrets: list[Finding] = []
    pointers: list[Finding] = []
    hidden: list[Finding] = []
    unread = [each.unread for each in shown if each.unread]
    for each in shown:
        search = find_secrets(each.patch)
        secrets += search.found
        found, all_pointers = _bounded(find_pointers(each.patch))
        pointers += found
        found, all_hidden = _bounded(find_hidden(each.patch))
        hidden += found
        if not (search.complete and all_pointers and all_hidden):
            unread.append("there is more to look at closely than is looked at")
    return Added(secrets=tuple(secrets), pointers=tuple(pointers), hidden=tuple(hidden), unread="; ".join(unread[:1]))


def find_pointers(patch: Patch) -> Iterator[Finding | None]:
    """Files that hold the name of a large file in place of its content; None for a place that holds none."""
    for at in patch.positions(POINTER):
        is_one = _POINTS.match(patch.text, at + len(POINTER))
        place = patch.place(at + 2) if is_one else None
        is_first = place is not None and place.line == 1
        yield Finding(kind="", path=place.path, line=1, commit=place.commit) if place and is_first else None


def find_hidden(patch: Patch) -> Iterator[Finding | None]:
    """The first of each kind of hidden characters in a file; None for a place that holds none."""
    for kind, needles, shape in HIDDEN:
        form = re.compile(shape)
        for needle in needles:
            for at in patch.positions(needle):
                place = patch.place(at) if form.match(patch.text, at) else None
                yield Finding(kind=kind, path=place.path, line=place.line, commit=place.commit) if place else None


def _bounded(findings: Iterator[Finding | None]) -> tuple[tuple[Finding, ...], bool]:
    """The first finding of each kind in each file, and whether these are all."""
    found: dict[tuple[bytes, str], Finding] = {}
    for number, finding in enumerate(findings):
        if number >= MAX_POSITIONS or len(found) >= MAX_FOUND:
            return tuple(found.values()), False
        if finding:
            found.setdefault((finding.path, finding.kind), finding)
    return tuple(found.values()), True
