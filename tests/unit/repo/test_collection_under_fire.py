"""Collection of workspaces that were made to cost time, to lose the honest part, or to break the host's side."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import bundle
import deletions
import dot_git
from report import Report
from repository import Repository, StepError
from request import Places, read_request
from runner.errors import GitError
from runner.model.result import Verdict
from runner.repo import inspection
from runner.repo.evidence import BranchEvidence, Change, CollectorReport, Commit, Evidence
from runner.repo.gates import judge
from runner.repo.importing import name_branches
from runner.repo.quarantine import make_quarantine, read_report, receive_bundle
from tests.unit.repo.collection_kit import ORDINARY, SCRIPT, Stage, git


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def open_stage() -> Iterator[Stage]:
    """A stage that others than root may reach, and own: root may open anything, so that modes say nothing."""
    with tempfile.TemporaryDirectory(prefix="paddock-test-") as name:
        Path(name).chmod(0o755)
        yield Stage(Path(name))


# ---- what forbids itself


def forbid_the_workspace(work: Path) -> None:
    work.chmod(0)


def forbid_head_and_refs(work: Path) -> None:
    for name in ("HEAD", "refs/heads/main", "refs/heads", "refs"):
        (work / ".git" / name).chmod(0)


def forbid_packed_refs(work: Path) -> None:
    git(work, "pack-refs", "--all")
    (work / ".git/packed-refs").chmod(0)


def forbid_objects(work: Path) -> None:
    for path in sorted((work / ".git/objects").rglob("*"), reverse=True):
        path.chmod(0)


@pytest.mark.parametrize("forbid", [forbid_the_workspace, forbid_head_and_refs, forbid_packed_refs, forbid_objects])
def test_modes_that_forbid_the_owner_everything_cost_no_work(open_stage: Stage, forbid: Callable[[Path], None]) -> None:
    head = open_stage.commit("honest")
    (open_stage.work / "left.txt").write_text("left\n")
    forbid(open_stage.work)
    user = ORDINARY if os.geteuid() == 0 else None
    if user:
        for folder in (open_stage.work, open_stage.root / "out"):
            subprocess.run(["chown", "-R", f"{user.uid}:{user.gid}", folder], check=True)

    collected = open_stage.collect(user)

    assert collected.blocked_by() == set()
    assert collected.evidence.branches[0].commits[0].sha == head
    assert collected.content("left.txt") == "left"


# ---- too many of anything


def refs_of(stage: Stage) -> tuple[dot_git.Refs, Report]:
    (stage.root / "inbox/collect.json").write_text(json.dumps(stage.request()))
    report = Report()
    git_dir = os.fsencode(stage.work / ".git")
    return dot_git.read_refs(git_dir, read_request(os.fsencode(stage.root / "inbox")), report), report


def test_with_more_refs_than_are_walked_over_the_branches_from_the_start_still_count(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = stage.commit("honest")
    for number in range(40):
        for name in (f"refs/a{number}", f"refs/heads/a{number}", f"refs/z{number}"):
            (stage.work / ".git" / name).write_text(stage.start + "\n")
    monkeypatch.setattr(dot_git, "MAX_REFS", 20)

    refs, report = refs_of(stage)

    assert (refs.heads["main"], refs.head_branch) == (head, "main")
    assert [problem["code"] for problem in report.problems] == ["too-many-refs"]


def test_refs_deeper_than_anybody_looks_hide_no_others(stage: Stage) -> None:
    head = stage.commit("honest")
    deep = stage.work / ".git/refs/heads" / "/".join(["d"] * 70)
    deep.mkdir(parents=True)
    (deep / "x").write_text(stage.start + "\n")

    collected = stage.collect()

    assert [branch.sha for branch in collected.report.branches] == [head]
    assert collected.codes() == {"too-many-refs"}


@pytest.mark.parametrize("plant", ["link", "link on the way", "fifo"])
def test_a_branch_that_is_looked_for_by_name_is_never_found_through_a_link(stage: Stage, plant: str) -> None:
    git_dir, elsewhere = stage.work / ".git", stage.root / "user/.git/refs/heads"
    shutil.rmtree(git_dir / "refs/heads")
    if plant == "link on the way":
        (git_dir / "refs/heads").symlink_to(elsewhere)
    else:
        (git_dir / "refs/heads").mkdir()
        if plant == "link":
            (git_dir / "refs/heads/main").symlink_to(elsewhere / "main")
        else:
            os.mkfifo(git_dir / "refs/heads/main")

    assert not dot_git.is_loose(os.fsencode(git_dir), b"refs/heads/main")
    assert dot_git.is_loose(os.fsencode(stage.user / ".git"), b"refs/heads/main")
    assert not dot_git.is_loose(os.fsencode(stage.user / ".git"), b"refs/heads")


def test_ten_thousands_of_deleted_files_take_no_quadratic_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (stage.work / "many").mkdir()
    for number in range(300):
        (stage.work / f"many/{number}").write_text(f"{number}\n")
    git(stage.work, "add", "-A")
    git(stage.work, "commit", "-qm", "many")
    shutil.rmtree(stage.work / "many")
    (stage.work / "new.txt").write_text("new\n")
    monkeypatch.setattr(deletions, "MANY", 100)
    places = Places(*(os.fsencode(stage.root / name) for name in ("work", "inbox", "out")))
    (stage.root / "inbox/collect.json").write_text(json.dumps(stage.request()))
    repository = Repository(places.out + b"/r", read_request(places.inbox), places, [places.git + b"/objects"])
    repository.git("read-tree", git(stage.work, "rev-parse", "HEAD"))
    assert deletions.count_entries(repository.path + b"/index") == 302

    deletions.forget_deleted(repository, 4)

    assert repository.git("ls-files", "-z").split(b"\0") == [b"readme.txt", b"src/main.py", b""]
    deletions.forget_deleted(repository, 4)  # nothing more to forget
    assert deletions.count_entries(repository.path + b"/index") == 2
    assert deletions.count_entries(repository.path + b"/none") == 0


# ---- time


def slow_after(stage: Stage, monkeypatch: pytest.MonkeyPatch, slow: set[str]) -> tuple[Repository, list[str]]:
    """A repository in which every bundle with one of the `slow` refs takes as long as it may."""
    places = Places(*(os.fsencode(stage.root / name) for name in ("work", "inbox", "out")))
    text = json.dumps(stage.request(seconds=4.0))
    (stage.root / "inbox/collect.json").write_text(text)
    repository = Repository(places.out + b"/r", read_request(places.inbox), places, [places.git + b"/objects"])
    real, asked = Repository.try_git, []

    def try_git(self: Repository, *argv: str | bytes, stdin: bytes = b"", work_tree: bool = False) -> object:
        if "bundle" in argv:
            refs = [line for line in stdin.decode().split() if line.startswith("refs/")]
            asked.append(" ".join(refs))
            if slow & set(refs):
                time.sleep(max(self.until - time.monotonic(), 0.0))
                raise StepError("too slow")
        return real(self, *argv, stdin=stdin, work_tree=work_tree)

    monkeypatch.setattr(Repository, "try_git", try_git)
    return repository, asked


def test_slow_branches_do_not_take_the_time_of_the_honest_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    head = stage.commit("honest")
    side = [git(stage.work, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", f"{n}") for n in range(6)]
    tips = {f"refs/paddock/other/{n}": (f"b{n}", sha) for n, sha in enumerate(side)}
    tips["refs/paddock/primary"] = ("main", head)
    slow = set(list(tips)[:5])
    repository, asked = slow_after(stage, monkeypatch, slow)
    report, began = Report(), time.monotonic()

    with contextlib.closing(repository):
        assert bundle.bundle(repository, tips, report) is None

    assert time.monotonic() - began < 4.0
    assert asked[1] == "refs/paddock/primary", "the branch to review comes first"
    assert {branch["inside"] for branch in report.branches} == {"main", "b5"}
    assert [problem["code"] for problem in report.problems] == ["branch-unusable"] * 5


def test_a_history_that_git_cannot_even_look_at_does_not_cost_the_files(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.commit("lost")
    (stage.work / "left.txt").write_text("left\n")
    spec = importlib.util.spec_from_file_location("collector_main", SCRIPT / "collecting.py")
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)

    def choose(*_: object) -> None:
        raise StepError("git cat-file failed: fatal: mmap failed")

    monkeypatch.setattr(program, "choose", choose)
    (stage.root / "inbox/collect.json").write_text(json.dumps(stage.request()))

    assert program.main(stage.places()) == 0

    collected = stage.receive(read_report(stage.root / "out"))
    assert collected.blocked_by() == {"git-structure", "ancestry"}
    assert collected.codes() == {"git-unreadable", "salvaged"}
    assert collected.content("left.txt") == "left"


# ---- names that the user's repository gets


def report_of(*names: str) -> CollectorReport:
    sha = "1" * 40
    branches = [
        {"inside": name, "ref": f"refs/paddock/other/{number}", "sha": sha, "before": None}
        for number, name in enumerate(names)
    ]
    empty = Report()
    return CollectorReport.model_validate(
        {"version": 1, **vars(empty)}
        | {"branches": tuple(branches), "left": (), "deleted": (), "odd_names": (), "problems": (), "notes": ()}
        | {"artifacts": ()},
        strict=True,
    )


@pytest.mark.parametrize("name", ["y" * 200, "é" * 100, "a/" + "y" * 198, "y" * 199 + "."])
def test_a_name_as_long_as_it_may_be_arrives_whatever_the_run_is_called(stage: Stage, name: str) -> None:
    run = "2026-11-20-" + "n" * 40 + "-k3f9"
    git(stage.work, "checkout", "-qb", name.rstrip("."))
    stage.commit("long", path="long.txt")
    git(stage.work, "checkout", "-q", "main")
    head = stage.commit("honest")

    refs = stage.land(stage.collect(), run=run)

    assert refs[f"refs/heads/paddock/{run}"] == head
    assert len(refs) == 2


def test_long_names_that_are_cut_to_the_same_get_a_number() -> None:
    names = name_branches("r", report_of("y" * 180 + "a", "y" * 180 + "b"))
    assert len(set(names.values())) == 2


# ---- what the host says and how long it looks


def test_a_name_that_no_file_can_have_is_blocked_and_told_in_a_few_words(stage: Stage) -> None:
    blob = git(stage.work, "hash-object", "-w", "--stdin", stdin=b"x")
    old = subprocess.run(["git", "cat-file", "tree", "HEAD"], cwd=stage.work, capture_output=True, check=True).stdout
    names = [b"zz%02d\x1b[2J" % number + b"n" * 100_000 for number in range(20)]
    raw = old + b"".join(b"100755 " + name + b"\0" + bytes.fromhex(blob) for name in names)
    tree = git(stage.work, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw)
    commit = git(stage.work, "commit-tree", tree, "-p", "HEAD", "-m", "long")
    git(stage.work, "update-ref", "HEAD", commit)

    collected = stage.collect(leftovers=False)

    assert collected.blocked_by() == {"names"}
    assert "is longer than the name of any file" in collected.detail("names")
    assert max(len(line) for gate in collected.gates.values() for line in gate.detail) < 3_000


@pytest.mark.parametrize(
    ("length", "verdict"), [(255, Verdict.PASSED), (256, Verdict.BLOCKED), (4096, Verdict.BLOCKED)]
)
def test_the_longest_name_of_a_file_passes(stage: Stage, length: int, verdict: Verdict) -> None:
    sha = git(stage.work, "hash-object", "-w", "--stdin", stdin=b"x")
    git(stage.work, "update-index", "--add", "--cacheinfo", f"100644,{sha},{'n' * length}")
    git(stage.work, "commit", "-qm", "long")

    assert stage.collect(leftovers=False).verdict("names") is verdict


@pytest.mark.parametrize(("size", "verdict"), [(1024**3, Verdict.FLAGGED), (1024**3 + 1, Verdict.BLOCKED)])
def test_a_file_larger_than_any_bundle_is_a_bomb(size: int, verdict: Verdict) -> None:
    change = Change(path=b"zeros", status="A", old_mode=0, new_mode=0o100644, sha="3" * 40, size=size)
    gates = {gate.name: gate for gate in judge(evidence_of(changes=(change,)))}
    assert gates["large-files"].verdict is verdict
    past = {gate.name: gate for gate in judge(evidence_of(past=(("4" * 40, size),)))}
    assert past["large-files"].verdict is verdict


def test_a_commit_of_too_many_files_is_flagged_although_the_next_one_takes_them_out() -> None:
    commit = Commit(sha="2" * 40, parents=(), author="A", subject="many", files=50_001)
    gates = {gate.name: gate for gate in judge(evidence_of(commits=(commit,)))}
    assert gates["file-count"].verdict is Verdict.FLAGGED
    assert gates["file-count"].detail == ("commit 222222222222 changes 50001 files",)


def evidence_of(
    *, changes: tuple[Change, ...] = (), commits: tuple[Commit, ...] = (), past: tuple[tuple[str, int], ...] = ()
) -> Evidence:
    branch = BranchEvidence(
        inside="main", ref="refs/paddock/primary", head="2" * 40, descends=True, commits=commits, changes=changes
    )
    return Evidence(start="1" * 40, report=report_of("main"), bundle_size=1, branches=(branch,), past=past)


def test_many_slow_branches_are_looked_at_for_a_bounded_time(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        git(stage.work, "branch", f"b{number}", git(stage.work, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "x"))
    report = stage.run_collector()
    monkeypatch.setattr(inspection, "run_git", slow_git)
    began = time.monotonic()
    quarantine = make_quarantine(stage.root / "quarantine", alternates=[stage.user / ".git/objects"])
    reception = receive_bundle(quarantine, stage.root / "out/changes.bundle", report, deadline=30)

    found = inspection.gather_evidence(quarantine, report, reception, start=stage.start, deadline=0.5)

    assert time.monotonic() - began < 5.0
    assert {problem.code for problem in found.problems} == {"too-large-to-read"}


def slow_git(*_: object, deadline: float, **__: object) -> None:
    time.sleep(deadline)
    raise GitError("git rev-list passed its deadline and was killed")


@pytest.mark.parametrize(
    "wrong", [{"odd_refs": 10**400}, {"other_refs": -1}, {"branches": 1001}, {"branches": "é" * 200}]
)
def test_a_report_of_more_than_there_can_be_is_malformed(stage: Stage, wrong: dict[str, object]) -> None:
    stage.commit("work")
    stage.run_collector()
    path = stage.root / "out/report.json"
    told = json.loads(path.read_text())
    match wrong:
        case {"branches": int(count)}:
            one = told["branches"][0]
            wrong = {"branches": [{**one, "inside": f"b{n}", "ref": f"refs/paddock/other/{n}"} for n in range(count)]}
        case {"branches": str(name)}:
            wrong = {"branches": [{**told["branches"][0], "inside": name}]}
        case _:
            pass
    path.write_text(json.dumps(told | wrong))

    assert stage.receive(read_report(stage.root / "out")).codes() == {"report-malformed"}


# ---- broken in places


def object_of(stage: Stage, revision: str) -> Path:
    sha = git(stage.work, "rev-parse", revision)
    return stage.work / ".git/objects" / sha[:2] / sha[2:]


def test_files_are_saved_although_the_tree_from_the_start_is_gone(stage: Stage) -> None:
    (stage.work / "left.txt").write_text("left\n")
    object_of(stage, "HEAD^{tree}").unlink()

    collected = stage.collect()

    assert "leftovers-incomplete" in collected.codes()
    assert collected.files() == {"left.txt", "readme.txt", "src/main.py"}


def test_a_directory_in_the_place_of_an_object_is_told_as_such(stage: Stage) -> None:
    stage.commit("work")
    place = object_of(stage, "HEAD:readme.txt")
    place.unlink()
    place.mkdir()
    (stage.work / "left.txt").write_text("left\n")

    collected = stage.collect()

    assert collected.codes() == {"objects-special-file", "salvaged"}
    assert "is a directory" in collected.detail("git-structure")
    assert collected.content("left.txt") == "left"


@pytest.mark.parametrize("name", [".gitattributes", ".gitmodules", "src/.GitIgnore"])
def test_a_link_to_a_commit_under_a_name_that_git_reads_is_blocked(stage: Stage, name: str) -> None:
    blob = git(stage.work, "hash-object", "-w", "--stdin", stdin=b"here")
    git(stage.work, "update-index", "--add", "--cacheinfo", f"100644,{blob},here")
    git(stage.work, "update-index", "--add", "--cacheinfo", f"160000,{blob},{name}")
    git(stage.work, "commit", "-qm", "link")

    assert stage.collect(leftovers=False).blocked_by() == {"gitlinks"}
