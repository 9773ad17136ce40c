"""A user's repository, an agent's workspace made from it, and the way back of its commits."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner import repo
from runner.model.identity import Identity
from runner.model.result import GateResult, Verdict
from runner.repo.evidence import CollectorReport, Evidence
from runner.repo.gates import judge
from runner.repo.importing import import_branches, name_branches
from runner.repo.inspection import gather_evidence, write_patch
from runner.repo.quarantine import Quarantine, Reception, make_quarantine, read_report, receive_bundle

SCRIPT = Path(repo.__file__).with_name("collector")
ORDINARY = Identity(uid=1000, gid=1000)
"""Somebody who is not root, as whom root's tests look at modes and owners."""
MAIN = "refs/heads/main"
PERSON = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "HOME": "/nonexistent",
    "PATH": os.environ["PATH"],
    "LC_ALL": "C",
}


def python_of_everybody() -> str:
    """An interpreter that others may start too; a virtual environment of root's is often not."""
    own = Path(sys.executable).resolve()
    try:
        open_to_all = all(folder.stat().st_mode & 0o001 for folder in own.parents)
    except PermissionError:
        open_to_all = False
    return sys.executable if open_to_all else "/usr/bin/python3"


def git(where: Path, *argv: str | bytes, stdin: bytes = b"", check: bool = True, **environment: str) -> str:
    """What anybody's git would do in `where`; only the tests may: here, they are the agent and the user."""
    done = subprocess.run(
        ["git", *argv], cwd=where, input=stdin, capture_output=True, env=PERSON | environment, check=False, timeout=30
    )
    if check and done.returncode != 0:
        raise AssertionError(done.stderr.decode("utf-8", "replace"))
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def new_repository(path: Path, object_format: str = "sha1") -> None:
    git(path.parent, "init", "-q", "-b", "main", "--template=", f"--object-format={object_format}", str(path))
    (path / ".git/info").mkdir()


@functools.cache
def _template(object_format: str) -> Path:
    """The two repositories, made once: making them takes longer than most tests."""
    root = Path(tempfile.mkdtemp(prefix="paddock-test-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    root.chmod(0o755)
    for name in ("inbox", "out"):
        (root / name).mkdir()
    new_repository(root / "user", object_format)
    (root / "user/readme.txt").write_text("hello\n")
    (root / "user/src").mkdir()
    (root / "user/src/main.py").write_text("print('hello')\n")
    git(root / "user", "add", "-A")
    git(root / "user", "commit", "-qm", "first")
    new_repository(root / "work", object_format)
    git(root / "work", "pull", "-q", "../user", "main")
    return root


@dataclass
class Collected:
    """What one collection brought, up to the gates."""

    report: CollectorReport
    quarantine: Quarantine
    reception: Reception
    evidence: Evidence
    gates: dict[str, GateResult]
    out: Path

    def codes(self) -> set[str]:
        return {problem.code for problem in self.evidence.problems}

    def verdict(self, gate: str) -> Verdict:
        return self.gates[gate].verdict

    def detail(self, gate: str) -> str:
        return "\n".join(self.gates[gate].detail)

    def blocked_by(self) -> set[str]:
        return {name for name, gate in self.gates.items() if gate.verdict is Verdict.BLOCKED}

    def files(self, ref: str = "refs/paddock/primary") -> set[str]:
        listing = git(self.quarantine.git_dir, "ls-tree", "-r", "-z", "--name-only", ref)
        return {name for name in listing.split("\0") if name}

    def content(self, path: str, ref: str = "refs/paddock/primary") -> str:
        return git(self.quarantine.git_dir, "cat-file", "blob", f"{ref}:{path}")

    def subjects(self) -> list[str]:
        return [commit.subject for commit in self.evidence.branches[0].commits]


@dataclass
class Stage:
    """One run's directories below `root`."""

    root: Path
    object_format: str = "sha1"
    start: str = field(init=False)

    def __post_init__(self) -> None:
        shutil.copytree(_template(self.object_format), self.root, dirs_exist_ok=True, symlinks=True)
        for copy in (self.work, self.user):
            git(copy, "update-index", "-q", "--refresh")  # it has other inodes
        self.start = git(self.user, "rev-parse", "HEAD")

    @property
    def user(self) -> Path:
        return self.root / "user"

    @property
    def work(self) -> Path:
        return self.root / "work"

    def make_repository(self, path: Path) -> None:
        new_repository(path, self.object_format)

    def commit(self, message: str = "work", *, path: str = "readme.txt", text: str = "changed\n") -> str:
        """What a well-behaved agent does."""
        target = self.work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        git(self.work, "add", "-A", "--", path)
        git(self.work, "commit", "-qm", message)
        return git(self.work, "rev-parse", "HEAD")

    def request(self, **changes: Any) -> dict[str, Any]:
        return {
            "version": 1,
            "object_format": self.object_format,
            "start": self.start,
            "base": self.start,
            "head_branch": "main",
            "refs": {MAIN: self.start},
            "step_seconds": 10.0,
        } | changes

    def places(self) -> list[str]:
        """The collector's arguments."""
        return ["--workspace", str(self.work), "--in", str(self.root / "inbox"), "--out", str(self.root / "out")]

    def run_collector(self, user: Identity | None = None, **changes: Any) -> CollectorReport:
        """Run the script as the container does, and read what it says."""
        (self.root / "inbox" / "collect.json").write_text(json.dumps(self.request(**changes)))
        places = self.places()
        subprocess.run(
            [python_of_everybody(), "-I", "-B", SCRIPT, *places],
            check=True,
            timeout=60,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=() if user else None,
        )
        return read_report(self.root / "out")

    def receive(self, report: CollectorReport) -> Collected:
        """The host's part, up to the gates."""
        quarantine = make_quarantine(
            self.root / "quarantine", alternates=[self.user / ".git/objects"], object_format=self.object_format
        )
        reception = receive_bundle(quarantine, self.root / "out/changes.bundle", report, deadline=30)
        evidence = gather_evidence(quarantine, report, reception, start=self.start)
        gates = {gate.name: gate for gate in judge(evidence)}
        return Collected(report, quarantine, reception, evidence, gates, self.root / "out")

    def collect(self, user: Identity | None = None, **changes: Any) -> Collected:
        return self.receive(self.run_collector(user, **changes))

    def land(self, collected: Collected, run: str = "r1", owner: Identity | None = None) -> dict[str, str]:
        """Patch and import; the new refs of the user's repository."""
        for number, branch in enumerate(collected.report.branches):
            assert write_patch(collected.quarantine, self.start, branch.sha, self.root / f"{number}.patch")
        return self.land_again(collected, run, owner)

    def land_again(self, collected: Collected, run: str = "r1", owner: Identity | None = None) -> dict[str, str]:
        """The import alone, which may have been done before."""
        heads = {branch.ref: branch.sha for branch in collected.report.branches}
        names = name_branches(run, collected.report)
        refs = {names[ref]: sha for ref, sha in heads.items()}
        if refs:
            import_branches(
                collected.quarantine, self.user / ".git", refs=refs, exclude=[self.start], owner=owner, deadline=30
            )
        return refs


def whole_flow(root: Path) -> None:
    """Everything as whoever calls: committed and uncommitted work reach a branch; raises AssertionError."""
    stage = Stage(root)
    head = stage.commit("by an ordinary user")
    (stage.work / "left.txt").write_text("left\n")
    collected = stage.collect()
    assert collected.blocked_by() == set(), collected.gates
    assert collected.subjects() == ["by an ordinary user", "paddock: uncommitted work"]
    refs = stage.land(collected)
    assert git(stage.user, "rev-parse", "paddock/r1~1") == head
    assert list(refs) == ["refs/heads/paddock/r1"]
