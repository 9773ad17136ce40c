"""The quarantine: a bare repository of ours in which what came out is looked at before the user's repository sees it.

The collector's two files are opened as what they are, hostile: regular, bounded, never through a link. The pack goes
into `git index-pack --strict` by our own hand, because `git fetch` from a bundle does not obey transfer.fsckObjects
before git 2.46 (measured with 2.39).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from runner.errors import GitError, StoreError
from runner.escape import escape_text
from runner.repo.bundle import MAX_HEADER, BundleFormatError, BundleHeader, parse_bundle_header
from runner.repo.evidence import CollectorReport, HeadState, Problem
from runner.repo.gates import MAX_BUNDLE_SIZE
from runner.repo.git import MIB, ProcessLimits, run_git

BUNDLE_NAME = "changes.bundle"
REPORT_NAME = "report.json"
MAX_REPORT = 8 * MIB
INSPECTION_LIMITS = ProcessLimits(memory=2048 * MIB, file_size=4 * MAX_BUNDLE_SIZE)

_CONFIG = """[core]
\trepositoryformatversion = {version}
\tbare = true
\tlogAllRefUpdates = false
\tbigFileThreshold = 16m
\tfsync = none
[attr]
\ttree =
{extensions}"""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A bare repository that borrows the objects of the user's."""

    git_dir: Path
    object_format: str


@dataclass(frozen=True, slots=True)
class Reception:
    """What became of the bundle: its size in bytes (0: there was none), and why it was not taken."""

    size: int
    problems: tuple[Problem, ...] = ()


def read_report(out_dir: Path) -> CollectorReport:
    """The collector's report; one that says `report-malformed` when there is none that can be believed."""
    try:
        with _open_regular(out_dir / REPORT_NAME, MAX_REPORT) as descriptor:
            data = os.pread(descriptor, MAX_REPORT, 0)
        return CollectorReport.model_validate_json(data, strict=True)
    except FileNotFoundError:
        return _no_report("the collector ended without a report")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        return _no_report(f"the collector's report is malformed: {place}: {first['msg']}")
    except (OSError, _TooLargeError) as error:
        return _no_report(f"the collector's report cannot be read: {error}")


def _no_report(why: str) -> CollectorReport:
    return CollectorReport(
        version=1,
        head=HeadState(kind="unreadable", name=""),
        branches=(),
        left=(),
        deleted=(),
        odd_refs=0,
        odd_names=(),
        other_refs=0,
        stash=False,
        uncommitted=False,
        salvaged=False,
        problems=(Problem(code="report-malformed", text=why),),
        notes=(),
    )


def make_quarantine(
    path: Path, *, alternates: Sequence[Path], object_format: str = "sha1", shallow: Sequence[str] = ()
) -> Quarantine:
    """Write the few files that make a bare repository at `path`, which must not exist yet; no process is started.

    `alternates` are object directories of repositories that we trust: the user's. `shallow` are the commits whose
    parents these repositories do not have. Raises StoreError.
    """
    if any("\n" in str(each) or not each.is_absolute() for each in alternates):
        raise StoreError("an object directory with a line break in its path cannot be borrowed from")
    sha256 = object_format == "sha256"
    extensions = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
    files = {
        "HEAD": "ref: refs/heads/none\n",
        "config": _CONFIG.format(version=int(sha256), extensions=extensions),
        "objects/info/alternates": "".join(f"{each}\n" for each in alternates),
    }
    if shallow:
        files["shallow"] = "".join(f"{sha}\n" for sha in shallow)
    try:
        path.mkdir(mode=0o700)
        for folder in ("objects/info", "objects/pack", "refs/paddock/other"):
            (path / folder).mkdir(parents=True)
        for name, text in files.items():
            (path / name).write_bytes(os.fsencode(text))
    except OSError as error:
        raise StoreError(f"the quarantine cannot be made at {escape_text(str(path))}: {error.strerror}") from error
    return Quarantine(path, object_format)


def receive_bundle(quarantine: Quarantine, bundle: Path, report: CollectorReport, *, deadline: float) -> Reception:
    """Take the branches of `report` into the quarantine, every new object checked by fsck and linked to known ones.

    Whatever is wrong with the bundle is a problem in the answer. Raises GitError only when git cannot be run.
    """
    try:
        with _open_regular(bundle, MAX_BUNDLE_SIZE) as descriptor:
            size = os.fstat(descriptor).st_size
            if not report.branches:
                return Reception(0)
            header = parse_bundle_header(os.pread(descriptor, MAX_HEADER, 0))
            _compare(header, report, quarantine)
            problems = _index(quarantine, descriptor, header.pack_offset, deadline)
    except FileNotFoundError:
        missing = Problem(code="bundle-missing", text="the collector reports branches, but there is no bundle")
        return Reception(0, (missing,) if report.branches else ())
    except _TooLargeError as error:
        return Reception(error.size, (Problem(code="bundle-too-large", text=str(error)),))
    except (BundleFormatError, OSError) as error:
        return Reception(0, (Problem(code="bundle-malformed", text=str(error)),))
    if not problems:
        problems = _make_refs(quarantine, report)
    return Reception(size, problems)


def keep_bundle(bundle: Path, destination: Path) -> bool:
    """Put the bundle where the run's evidence is kept; False when there is none that may be. Raises StoreError."""
    partial = destination.with_name(destination.name + ".partial")
    try:
        partial.unlink(missing_ok=True)  # of a Paddock that died here
        with (
            _open_regular(bundle, MAX_BUNDLE_SIZE) as descriptor,
            os.fdopen(os.dup(descriptor), "rb") as source,
            partial.open("xb") as target,
        ):
            shutil.copyfileobj(source, target, MIB)
        partial.rename(destination)
    except (FileNotFoundError, _TooLargeError):
        return False
    except OSError as error:
        raise StoreError(f"the bundle cannot be kept: {error}") from error
    return True


class _TooLargeError(Exception):
    def __init__(self, name: str, size: int, limit: int) -> None:
        super().__init__(f"{name} has {size} bytes; at most {limit} are accepted")
        self.size = size


@contextlib.contextmanager
def _open_regular(path: Path, limit: int) -> Iterator[int]:
    """A descriptor of a regular file of at most `limit` bytes; a link, FIFO or device is an OSError, at once."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(f"{path.name} is not a regular file")
        if status.st_size > limit:
            raise _TooLargeError(path.name, status.st_size, limit)
        yield descriptor
    finally:
        os.close(descriptor)


def _compare(header: BundleHeader, report: CollectorReport, quarantine: Quarantine) -> None:
    if header.object_format != quarantine.object_format:
        raise BundleFormatError(f"the bundle holds {header.object_format} objects")
    if header.refs != {branch.ref: branch.sha for branch in report.branches}:
        raise BundleFormatError("the bundle holds other refs than the collector's report says")


def _index(quarantine: Quarantine, descriptor: int, offset: int, deadline: float) -> tuple[Problem, ...]:
    os.lseek(descriptor, offset, os.SEEK_SET)
    argv = ["index-pack", "--stdin", "--fix-thin", "--strict=badFilemode=error", f"--max-input-size={MAX_BUNDLE_SIZE}"]
    try:
        run_git(argv, git_dir=quarantine.git_dir, stdin=descriptor, limits=INSPECTION_LIMITS, deadline=deadline)
    except GitError as error:
        return (Problem(code="bundle-refused", text=f"git refuses what is in the bundle: {error.message}"),)
    return ()


def _make_refs(quarantine: Quarantine, report: CollectorReport) -> tuple[Problem, ...]:
    """The quarantine's refs, once every tip is known to be a commit."""
    asked = "".join(f"{branch.sha}\n" for branch in report.branches).encode()
    said = run_git(["cat-file", "--batch-check=%(objecttype)"], git_dir=quarantine.git_dir, stdin=asked)
    for branch, kind in zip(report.branches, said.stdout.splitlines(), strict=True):
        if kind != b"commit":
            return (Problem(code="bundle-malformed", text=f"the tip {branch.sha} of the bundle is not a commit in it"),)
        (quarantine.git_dir / branch.ref).write_text(branch.sha + "\n", encoding="ascii")
    return ()
