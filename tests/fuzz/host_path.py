"""The host's way from the collector's two files to branches, and what has to hold whatever these files are."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from hypothesis import HealthCheck, given, settings

from runner.errors import PaddockError
from runner.escape import is_plain
from runner.model.result import GateResult, Verdict
from runner.repo.evidence import CollectorReport, Evidence
from runner.repo.gates import judge
from runner.repo.importing import import_branches, name_branches
from runner.repo.inspection import gather_evidence, write_patch
from runner.repo.quarantine import Quarantine, keep_bundle, make_quarantine, read_report, receive_bundle
from runner.run.collect import described
from tests.fuzz.attacks import Handout, Sample, handouts
from tests.fuzz.packs import Thing
from tests.unit.repo.collection_kit import PERSON, Stage, git
from tests.unit.repo.sources import fingerprint

SECONDS = 30.0
"""For one handout, with everything that its files can ask for."""
RUN = "2026-11-20-fuzz-k3f9"


def make_sample(stage: Stage) -> Sample:
    """What a real collector hands out for two branches and uncommitted work."""
    git(stage.user, "checkout", "-qb", "private")
    (stage.user / "private.txt").write_text("private\n")
    git(stage.user, "add", "-A")
    git(stage.user, "commit", "-qm", "private")
    private = git(stage.user, "rev-parse", "HEAD")
    git(stage.user, "checkout", "-q", "main")
    git(stage.work, "checkout", "-qb", "side")
    stage.commit("side", path="side.txt")
    git(stage.work, "checkout", "-q", "main")
    stage.commit("work", path="src/new.py", text="print('new')\n")
    (stage.work / "left.txt").write_text("left\n")
    stage.run_collector()
    report = json.loads((stage.root / "out/report.json").read_text())
    content = (stage.root / "out/changes.bundle").read_bytes()
    return Sample(report, content, stage.start, private, tuple(new_things(stage, report)))


def new_things(stage: Stage, report: dict[str, object]) -> list[Thing]:
    """The objects that are in the bundle, the newest commit first."""
    git(stage.root, "init", "-q", "--bare", "look")
    look = stage.root / "look"
    git(look, "fetch", "-q", str(stage.work), "main")
    git(look, "fetch", "-q", str(stage.root / "out/changes.bundle"), "refs/paddock/*:refs/paddock/*")
    listed = git(look, "rev-list", "--objects", "--all", f"^{stage.start}").splitlines()
    things = []
    for sha in dict.fromkeys(line.split()[0] for line in listed):
        kind = git(look, "cat-file", "-t", sha)
        raw = subprocess.run(["git", "cat-file", kind, sha], cwd=look, capture_output=True, env=PERSON, check=True)
        things.append(Thing(kind.encode(), raw.stdout))
    return things


class Ground:
    """A user's repository, and a folder of a run beside it; both are as before when a handout was looked at."""

    def __init__(self, place: Path) -> None:
        self.stage = Stage(place)
        self.sample = make_sample(self.stage)
        self.before = fingerprint(self.stage.user)
        shutil.copytree(self.stage.user, place / "pristine", symlinks=True)

    def try_out(self, handout: Handout) -> tuple[GateResult, ...]:
        """Take a handout the whole way; raises AssertionError where something does not hold."""
        run = self.stage.root / "run"
        shutil.rmtree(run, ignore_errors=True)
        (run / "out").mkdir(parents=True)
        (run / "out/report.json").write_bytes(handout.report)
        if handout.bundle is not None:
            (run / "out/changes.bundle").write_bytes(handout.bundle)
        began = time.monotonic()
        gates = self._take(run)
        assert time.monotonic() - began < SECONDS
        assert {path.name for path in run.iterdir()} <= {"out", "quarantine", "diff.patch", "changes.bundle"}
        return gates

    def _take(self, run: Path) -> tuple[GateResult, ...]:
        report = read_report(run / "out")
        keep_bundle(run / "out/changes.bundle", run / "changes.bundle")
        quarantine = make_quarantine(run / "quarantine", alternates=[self.stage.user / ".git/objects"])
        reception = receive_bundle(quarantine, run / "out/changes.bundle", report, deadline=SECONDS)
        evidence = gather_evidence(quarantine, report, reception, start=self.stage.start)
        gates = judge(evidence)
        assert fingerprint(self.stage.user) == self.before
        self._check_words(gates, evidence, report)
        if reception.problems or report.problems:
            assert any(gate.verdict is not Verdict.PASSED for gate in gates)
        for branch in evidence.branches:
            write_patch(quarantine, self.stage.start, branch.head, run / "diff.patch")
        if not any(gate.verdict is Verdict.BLOCKED for gate in gates):
            self._land(quarantine, evidence, report)
        return gates

    def _check_words(self, gates: tuple[GateResult, ...], evidence: Evidence, report: CollectorReport) -> None:
        lines = [line for gate in gates for line in gate.detail]
        assert [line for line in lines if not is_plain(line) or len(line) > 20_000] == []
        told = described(evidence, gates, name_branches(RUN, report), report, tuple(report.left_out()))
        assert all(is_plain(commit.subject + commit.author) for commit in told.commits)

    def _land(self, quarantine: Quarantine, evidence: Evidence, report: CollectorReport) -> None:
        """What passes arrives below paddock/, whole, and nothing else is changed."""
        refs = name_branches(RUN, report)
        wanted = {refs[branch.ref]: branch.head for branch in evidence.branches}
        if not wanted:
            return
        user = self.stage.user
        try:
            import_branches(quarantine, user / ".git", refs=wanted, exclude=[self.stage.start], deadline=SECONDS)
            listed = git(user, "for-each-ref", "--format=%(refname) %(objectname)", "refs/heads/paddock")
            assert dict(line.split() for line in listed.splitlines()) == wanted
            git(user, "fsck", "--strict", "--no-dangling", *wanted.values())
            assert git(user, "status", "--porcelain") == ""
        finally:
            shutil.rmtree(user)
            shutil.copytree(user.with_name("pristine"), user, symlinks=True)
            self.before = fingerprint(user)


@functools.cache
def ground() -> Ground:
    """One for each process."""
    folder = tempfile.mkdtemp(prefix="paddock-fuzz-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Ground(Path(folder))


def fuzz(examples: int) -> Callable[[], None]:
    """A test that tries so many handouts. A `PaddockError` is no verdict either: none of them may end in one."""

    @settings(
        max_examples=examples,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(handout=handouts(ground().sample))
    def every_handout_gets_a_verdict(handout: Handout) -> None:
        try:
            ground().try_out(handout)
        except PaddockError as error:
            raise AssertionError(f"no verdict: {error.message}") from error

    return every_handout_gets_a_verdict
