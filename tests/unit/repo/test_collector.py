"""The collector on workspaces that an agent left: ordinary ones, broken ones, and ones that were made to hurt.

The script runs here as it does in its container, but without one; so a planted program that ran would leave its canary.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dot_git import is_branch_name
from report import spell
from runner.model.identity import Identity
from runner.model.result import Verdict
from runner.repo.quarantine import read_report
from tests.unit.repo.collection_kit import MAIN, ORDINARY, PERSON, SCRIPT, Collected, Stage, git


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def loose(work: Path, sha: str) -> Path:
    return work / ".git/objects" / sha[:2] / sha[2:]


def write_object(work: Path, kind: str, raw: bytes) -> str:
    return git(work, "hash-object", "-t", kind, "-w", "--literally", "--stdin", stdin=raw)


# ---- ordinary endings


def test_commits_of_the_checked_out_branch_come_out_as_they_are(stage: Stage) -> None:
    head = stage.commit("first"), stage.commit("second", text="more\n")
    collected = stage.collect()
    assert collected.report.branches[0].model_dump() == {
        "inside": "main",
        "ref": "refs/paddock/primary",
        "sha": head[1],
        "before": stage.start,
    }
    assert [commit.sha for commit in collected.evidence.branches[0].commits] == list(head)
    assert (collected.report.uncommitted, collected.codes(), collected.blocked_by()) == (False, set(), set())


def test_nothing_done_means_no_bundle_and_a_report_that_says_so(stage: Stage) -> None:
    collected = stage.collect()
    assert (collected.report.branches, collected.report.uncommitted) == ((), False)
    assert sorted(path.name for path in (stage.root / "out").iterdir()) == ["report.json"]
    assert {gate.verdict for gate in collected.gates.values()} == {Verdict.PASSED}


def test_uncommitted_work_becomes_a_last_commit(stage: Stage) -> None:
    stage.commit("done")
    (stage.work / "readme.txt").write_text("half done\n")
    (stage.work / "new.txt").write_text("new\n")
    (stage.work / "src/main.py").unlink()
    identity = {"name": "Paddock", "email": "p@example.com"}
    collected = stage.collect(identity=identity, commit_date="@1700000000 +0000")
    assert collected.subjects() == ["done", "paddock: uncommitted work"]
    assert collected.evidence.branches[0].commits[1].author == "Paddock <p@example.com>"
    assert collected.files() == {"readme.txt", "new.txt"}
    assert collected.report.uncommitted


def test_uncommitted_work_stays_behind_when_it_is_not_asked_for(stage: Stage) -> None:
    (stage.work / "new.txt").write_text("new\n")
    assert stage.collect(leftovers=False).report.branches == ()


def test_ignored_files_stay_behind_and_only_the_trees_own_rules_count(stage: Stage) -> None:
    (stage.work / ".gitignore").write_text("*.log\n")
    for name in ("a.log", "b.txt", "c.hidden"):
        (stage.work / name).write_text("x")
    (stage.work / ".git/info/exclude").write_text("*.hidden\n")
    git(stage.work, "config", "core.excludesFile", str(stage.work / ".gitignore"))
    assert stage.collect().files() == {".gitignore", "b.txt", "c.hidden", "readme.txt", "src/main.py"}


def test_a_pristine_index_from_the_host_is_used_and_changes_nothing(stage: Stage) -> None:
    shutil.copy2(stage.work / ".git/index", stage.root / "inbox/base.index")
    stage.commit("done", path="other.txt")
    (stage.work / "src/main.py").write_text("print('hullo')\n")  # same length
    collected = stage.collect()
    assert collected.content("src/main.py") == "print('hullo')"
    assert collected.files() == {"readme.txt", "src/main.py", "other.txt"}


def test_a_broken_index_from_the_host_costs_time_and_no_work(stage: Stage) -> None:
    (stage.root / "inbox/base.index").write_bytes(b"DIRCjunk" * 100)
    stage.commit("done")
    (stage.work / "new.txt").write_text("x")
    assert "new.txt" in stage.collect().files()


def test_history_that_the_host_does_not_have_comes_out_from_the_given_base(stage: Stage) -> None:
    base, dirty = stage.start, stage.commit("carried along")
    stage.start = dirty
    head = stage.commit("work", text="work\n")
    collected = stage.collect(base=base, refs={MAIN: dirty}, exclude=[base])
    assert collected.blocked_by() == set()
    assert [commit.sha for commit in collected.evidence.branches[0].commits] == [head]


def test_a_sha256_repository_is_collected_too(tmp_path: Path) -> None:
    stage = Stage(tmp_path, object_format="sha256")
    stage.commit("done")
    (stage.work / "new.txt").write_text("x")
    collected = stage.collect()
    assert collected.blocked_by() == set()
    assert len(collected.subjects()) == 2
    assert stage.land(collected)


def test_a_shallow_workspace_gives_true_ids(stage: Stage) -> None:
    for number in range(3):
        (stage.user / "readme.txt").write_text(f"{number}\n")
        git(stage.user, "commit", "-qam", f"{number}")
    shutil.rmtree(stage.work)
    git(stage.root, "clone", "-q", "--depth=1", f"file://{stage.user}", str(stage.work))
    git(stage.work, "remote", "remove", "origin")
    stage.start = git(stage.user, "rev-parse", "HEAD")
    head = stage.commit("work")
    (stage.work / "new.txt").write_text("x")
    collected = stage.collect(shallow=[stage.start])
    assert collected.evidence.branches[0].commits[0].sha == head
    assert collected.blocked_by() == set()


# ---- branches and HEAD


def test_other_branches_that_moved_come_along_up_to_a_number(stage: Stage) -> None:
    for name in ("a", "b", "c"):
        git(stage.work, "checkout", "-qb", name, "main")
        stage.commit(name, text=name)
    git(stage.work, "checkout", "-q", "main")
    stage.commit("on main")
    collected = stage.collect(max_branches=2)
    assert [branch.inside for branch in collected.report.branches] == ["main", "a", "b"]
    assert [left.inside for left in collected.report.left] == ["c"]
    assert collected.verdict("refs") is Verdict.FLAGGED
    names = stage.land(collected)
    assert set(names) == {f"refs/heads/paddock/r1{tail}" for tail in ("", "+a", "+b")}


def test_another_checked_out_branch_is_the_primary(stage: Stage) -> None:
    git(stage.work, "checkout", "-qb", "feature/x")
    head = stage.commit("there")
    report = stage.run_collector()
    assert [(b.inside, b.ref, b.sha) for b in report.branches] == [("feature/x", "refs/paddock/primary", head)]


def test_a_detached_head_is_collected_with_its_leftovers(stage: Stage) -> None:
    git(stage.work, "checkout", "-q", "--detach")
    stage.commit("afloat")
    (stage.work / "new.txt").write_text("x")
    collected = stage.collect()
    assert collected.report.head.kind == "detached"
    assert collected.subjects() == ["afloat", "paddock: uncommitted work"]
    assert collected.detail("refs") == "HEAD was detached"


@pytest.mark.parametrize(
    ("head", "kind", "code"),
    [
        (b"ref: refs/heads/nothing-yet\n", "unborn", None),
        (b"ref: ../../../../etc/passwd\n", "unreadable", "head-odd"),
        (b"ref: refs/heads/../../../x\n", "unreadable", "head-odd"),
        (b"ref: refs/heads/-x\n", "unreadable", "head-odd"),
        (b"ref: refs/tags/v1\n", "unreadable", "head-odd"),
        (b"garbage\x1b[31m\xff", "unreadable", "head-odd"),
        (b"", "unreadable", "head-odd"),
        (b"x" * 10_000, "unreadable", "head-unreadable"),
    ],
)
def test_with_an_odd_head_the_branch_from_the_start_counts(
    stage: Stage, head: bytes, kind: str, code: str | None
) -> None:
    sha = stage.commit("done")
    (stage.work / "new.txt").write_text("x")
    (stage.work / ".git/HEAD").write_bytes(head)
    collected = stage.collect()
    assert collected.report.head.kind == kind
    assert collected.codes() == ({code} if code else set())
    assert collected.report.branches[0].inside == "main"
    assert collected.evidence.branches[0].commits[0].sha == sha
    assert "new.txt" in collected.files()


def test_an_orphan_without_commits_keeps_its_files_on_top_of_the_branch_from_the_start(stage: Stage) -> None:
    git(stage.work, "checkout", "-q", "--orphan", "blank")
    (stage.work / "new.txt").write_text("x")
    collected = stage.collect()
    assert collected.report.head.model_dump() == {"kind": "unborn", "name": "blank"}
    assert collected.evidence.branches[0].descends
    assert "new.txt" in collected.files()


def test_a_deleted_branch_is_reported(stage: Stage) -> None:
    git(stage.work, "checkout", "-qb", "b")
    stage.commit("there")
    git(stage.work, "branch", "-D", "main")
    report = stage.run_collector()
    assert (report.deleted, report.branches[0].inside) == (("main",), "b")


def test_a_branch_moved_back_is_reported_and_holds_nothing_new(stage: Stage) -> None:
    stage.start = stage.commit("second")
    git(stage.user, "fetch", "-q", str(stage.work), "main")
    git(stage.work, "reset", "-q", "--hard", "HEAD~1")
    collected = stage.collect()
    assert collected.report.branches == ()
    assert "moved away from" in collected.detail("refs")


def test_unrelated_history_is_blocked_by_ancestry_and_kept(stage: Stage) -> None:
    git(stage.work, "checkout", "-q", "--orphan", "blank")
    git(stage.work, "commit", "-qm", "rewritten")
    git(stage.work, "branch", "-M", "main")
    collected = stage.collect()
    assert collected.blocked_by() == {"ancestry"}
    assert (stage.root / "out/changes.bundle").exists()


def test_an_amended_start_is_blocked_by_ancestry(stage: Stage) -> None:
    git(stage.work, "commit", "-q", "--amend", "-m", "mine now")
    assert stage.collect().blocked_by() == {"ancestry"}


@pytest.mark.parametrize("kind", ["tag", "blob", "tree", "missing"])
def test_a_branch_that_points_to_no_commit_is_told_and_the_others_come(stage: Stage, kind: str) -> None:
    sha = stage.commit("good")
    git(stage.work, "tag", "-am", "t", "v1")
    target = {
        "tag": git(stage.work, "rev-parse", "v1"),
        "blob": git(stage.work, "rev-parse", "HEAD:readme.txt"),
        "tree": git(stage.work, "rev-parse", "HEAD^{tree}"),
        "missing": "d" * 40,
    }[kind]
    (stage.work / ".git/refs/heads/odd").write_text(target + "\n")
    collected = stage.collect()
    assert [branch.sha for branch in collected.report.branches] == [sha]
    assert f"the branch odd points to {target}: {kind}, not a commit" in collected.detail("refs")
    assert collected.blocked_by() == set()


def test_a_checked_out_branch_without_its_commit_blocks_and_its_files_are_saved(stage: Stage) -> None:
    (stage.work / "new.txt").write_text("x")
    (stage.work / ".git/refs/heads/main").write_text("d" * 40 + "\n")
    collected = stage.collect()
    assert collected.blocked_by() == {"git-structure"}
    assert "new.txt" in collected.files()


ODD_NAMES = [
    b"-x", b"--upload-pack=touch canary", b"a\x1b[31m", b"a..b", b"x.lock", b"\xff\xfe", "\u202egpj".encode(),
    b"a b", b"@{x", b"x~1", b"new\nline", "a\u200bb".encode(), b"x" * 240,
]  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
def test_odd_ref_names_are_counted_and_appear_nowhere(stage: Stage, packed: bool) -> None:
    sha = stage.commit("good")
    names = [name for name in ODD_NAMES if not (packed and b"\n" in name) and not (not packed and b".lock" in name)]
    if packed:
        lines = b"".join(sha.encode() + b" refs/heads/" + name + b"\n" for name in names)
        (stage.work / ".git/packed-refs").write_bytes(b"# pack-refs with: peeled\n" + lines + b"^" + b"e" * 40 + b"\n")
    else:
        for name in names:
            (stage.work / ".git/refs/heads" / os.fsdecode(name)).write_text(sha)
    collected = stage.collect()
    assert [branch.inside for branch in collected.report.branches] == ["main"]
    assert collected.report.odd_refs == len(names)
    assert all(name.isprintable() for name in collected.report.odd_names)
    assert collected.verdict("refs") is Verdict.FLAGGED


def test_names_that_cannot_stand_beside_each_other_still_land(stage: Stage) -> None:
    sha = stage.commit("good")
    others = [git(stage.work, "commit-tree", "-p", sha, "-m", str(n), f"{sha}^{{tree}}") for n in range(4)]
    names = ("a", "a/b", "A", "main/x")
    lines = "".join(f"{other} refs/heads/{name}\n" for other, name in zip(others, names, strict=True))
    (stage.work / ".git/packed-refs").write_text(lines)
    landed = stage.land(stage.collect())
    assert set(landed.values()) == {sha, *others}


def test_more_refs_than_anybody_reads_are_refused_quickly(stage: Stage) -> None:
    sha = stage.commit("good")
    lines = "".join(f"{sha} refs/heads/n{number}\n" for number in range(300_000))
    (stage.work / ".git/packed-refs").write_text(lines)
    began = time.monotonic()
    collected = stage.collect()
    assert time.monotonic() - began < 10
    assert [branch.inside for branch in collected.report.branches] == ["main"]
    assert "too-many-refs" in collected.codes()


def test_tags_notes_stash_and_replacements_stay_behind_as_such(stage: Stage) -> None:
    first = stage.commit("good")
    git(stage.work, "tag", "v1")
    git(stage.work, "notes", "add", "-m", "note")
    other = stage.commit("other", text="o\n")
    git(stage.work, "replace", first, stage.start)
    (stage.work / "readme.txt").write_text("stashed\n")
    git(stage.work, "stash")
    collected = stage.collect()
    stash = git(stage.work, "rev-parse", "refs/stash")
    assert [branch.sha for branch in collected.report.branches] == [other, stash]
    assert [commit.sha for commit in collected.evidence.branches[0].commits] == [first, other]
    assert collected.report.stash
    assert collected.report.other_refs == 4
    assert [left.inside for left in collected.report.left] == ["refs/notes/commits"]
    assert list(collected.report.left_out()) == [
        "refs/notes/commits: it does not build on the commit that the agent was given"
    ]
    stage.land(collected)
    refs = git(stage.user, "for-each-ref", "--format=%(refname)").split()
    assert refs == [MAIN, "refs/heads/paddock/r1", "refs/heads/paddock/r1+stash"]


def branches_of(collected: Collected) -> dict[str, str]:
    return {branch.inside: branch.sha for branch in collected.report.branches}


def test_every_entry_of_the_stash_comes_as_a_branch(stage: Stage) -> None:
    stashes = []
    for text in ("one\n", "two\n"):
        (stage.work / "readme.txt").write_text(text)
        (stage.work / "untracked.txt").write_text(text)
        git(stage.work, "stash", "--include-untracked")
        stashes.append(git(stage.work, "rev-parse", "refs/stash"))
    collected = stage.collect()
    assert branches_of(collected) == {"stash": stashes[1], "stash-2": stashes[0]}
    assert (collected.blocked_by(), list(collected.report.left_out())) == (set(), [])
    assert set(stage.land(collected)) == {"refs/heads/paddock/r1+stash", "refs/heads/paddock/r1+stash-2"}


@pytest.mark.parametrize("name", [b"x" * 240, "\U0001f468\u200d\U0001f4bb".encode(), b"-x", b"\xff\xfe"])
def test_the_commits_of_a_branch_with_an_odd_name_come_under_another(stage: Stage, name: bytes) -> None:
    sha = stage.commit("on an odd branch")
    git(stage.work, "reset", "-q", "--hard", stage.start)
    (stage.work / ".git/packed-refs").write_bytes(sha.encode() + b" refs/heads/" + name + b"\n")
    collected = stage.collect()
    assert branches_of(collected) == {"odd-1": sha}
    assert list(collected.report.left_out()) == []
    assert stage.land(collected) == {"refs/heads/paddock/r1+odd-1": sha}


@pytest.mark.parametrize("options", [[], ["-a", "-m", "signed off"]])
def test_commits_that_only_a_tag_leads_to_come_as_a_branch(stage: Stage, options: list[str]) -> None:
    sha = stage.commit("only tagged")
    git(stage.work, "tag", *options, "v1")
    git(stage.work, "reset", "-q", "--hard", stage.start)
    collected = stage.collect()
    assert branches_of(collected) == {"tag-v1": sha}
    assert list(collected.report.left_out()) == []


def test_a_name_that_a_branch_has_already_gets_a_number(stage: Stage) -> None:
    tagged = stage.commit("only tagged")
    git(stage.work, "tag", "v1")
    git(stage.work, "reset", "-q", "--hard", stage.start)
    git(stage.work, "checkout", "-qb", "tag-v1")
    head = stage.commit("on the branch", text="another\n")
    assert branches_of(stage.collect()) == {"tag-v1": head, "tag-v1-2": tagged}


def test_a_tag_below_a_branch_needs_no_branch_of_its_own(stage: Stage) -> None:
    stage.commit("one")
    git(stage.work, "tag", "v1")
    head = stage.commit("two", text="two\n")
    collected = stage.collect()
    assert branches_of(collected) == {"main": head}
    assert list(collected.report.left_out()) == []


def test_an_unrelated_tag_is_left_and_told_and_rejects_nothing(stage: Stage) -> None:
    head = stage.commit("work")
    tree = git(stage.work, "rev-parse", "HEAD^{tree}")
    git(stage.work, "tag", "alone", git(stage.work, "commit-tree", tree, "-m", "no parents"))
    collected = stage.collect()
    assert (branches_of(collected), collected.blocked_by()) == ({"main": head}, set())
    assert list(collected.report.left_out()) == [
        "refs/tags/alone: it does not build on the commit that the agent was given"
    ]


def test_strays_that_find_no_room_are_left_and_told(stage: Stage) -> None:
    for number in range(3):
        git(stage.work, "tag", f"v{number}", stage.commit(str(number), text=str(number)))
        git(stage.work, "reset", "-q", "--hard", stage.start)
    collected = stage.collect(max_branches=1)
    assert list(branches_of(collected)) == ["tag-v0"]
    assert [left.inside for left in collected.report.left] == ["refs/tags/v1", "refs/tags/v2"]
    assert len(list(collected.report.left_out())) == 2


def test_a_branch_that_holds_nothing_new_is_no_work_that_was_left(stage: Stage) -> None:
    git(stage.work, "branch", "idea")
    collected = stage.collect()
    assert [left.inside for left in collected.report.left] == ["idea"]
    assert list(collected.report.left_out()) == []


def test_grafts_and_a_shallow_file_of_the_agents_change_no_ancestry(stage: Stage) -> None:
    head = stage.commit("good")
    (stage.work / ".git/info/grafts").write_text(f"{head}\n")
    (stage.work / ".git/shallow").write_text(f"{head}\n")
    collected = stage.collect()
    assert collected.evidence.branches[0].commits[0].parents == (stage.start,)
    assert collected.blocked_by() == set()


def test_a_base_that_was_removed_is_reported(stage: Stage) -> None:
    git(stage.work, "checkout", "-q", "--orphan", "blank")
    git(stage.work, "commit", "-qm", "rewritten")
    git(stage.work, "branch", "-M", "main")
    git(stage.work, "reflog", "expire", "--expire=all", "--all")
    git(stage.work, "gc", "-q", "--prune=now")
    collected = stage.collect()
    assert "base-missing" in collected.codes()
    assert "ancestry" in collected.blocked_by()


# ---- a .git that leads elsewhere, hangs, or is no .git (ATTACKS 146-151)


@pytest.fixture
def private(stage: Stage) -> str:
    """Another repository of the user's, with a secret that must not come out."""
    stage.make_repository(stage.root / "private")
    (stage.root / "private/secret.txt").write_text("secret\n")
    git(stage.root / "private", "add", "-A")
    git(stage.root / "private", "commit", "-qm", "private")
    return git(stage.root / "private", "rev-parse", "HEAD")


def away(stage: Stage) -> Path:
    shutil.move(stage.work / ".git", stage.root / "was-git")
    return stage.root / "private/.git"


def gitfile(stage: Stage, sha: str) -> None:
    (stage.work / ".git").write_text(f"gitdir: {away(stage)}\n")


def git_symlink(stage: Stage, sha: str) -> None:
    (stage.work / ".git").symlink_to(away(stage))


def commondir(stage: Stage, sha: str) -> None:
    (stage.work / ".git/commondir").write_text(f"{stage.root}/private/.git\n")


def gitdir(stage: Stage, sha: str) -> None:
    (stage.work / ".git/gitdir").write_text(f"{stage.root}/private/.git\n")


def alternates(stage: Stage, sha: str) -> None:
    (stage.work / ".git/objects/info/alternates").write_text(f"{stage.root}/private/.git/objects\n")
    (stage.work / ".git/refs/heads/main").write_text(sha + "\n")


def http_alternates(stage: Stage, sha: str) -> None:
    (stage.work / ".git/objects/info/http-alternates").write_text("http://127.0.0.1/\n")


def objects_symlink(stage: Stage, sha: str) -> None:
    shutil.move(stage.work / ".git/objects", stage.root / "was-objects")
    (stage.work / ".git/objects").symlink_to(stage.root / "private/.git/objects")
    (stage.work / ".git/refs/heads/main").write_text(sha + "\n")


def fan_out_symlink(stage: Stage, sha: str) -> None:
    for folder in (stage.root / "private/.git/objects").glob("??"):
        if not (stage.work / ".git/objects" / folder.name).exists():
            (stage.work / ".git/objects" / folder.name).symlink_to(folder)
    (stage.work / ".git/refs/heads/main").write_text(sha + "\n")


def object_symlink(stage: Stage, sha: str) -> None:
    for folder in (stage.root / "private/.git/objects").glob("??"):
        (stage.work / ".git/objects" / folder.name).mkdir(exist_ok=True)
        for each in folder.iterdir():
            (stage.work / ".git/objects" / folder.name / each.name).symlink_to(each)
    (stage.work / ".git/refs/heads/main").write_text(sha + "\n")


def object_fifo(stage: Stage, sha: str) -> None:
    (stage.work / ".git/objects" / sha[:2]).mkdir(exist_ok=True)
    os.mkfifo(loose(stage.work, sha))


def pack_fifo(stage: Stage, sha: str) -> None:
    os.mkfifo(stage.work / ".git/objects/pack/pack-x.idx")


def alternates_fifo(stage: Stage, sha: str) -> None:
    os.mkfifo(stage.work / ".git/objects/info/alternates")


def objects_file(stage: Stage, sha: str) -> None:
    shutil.rmtree(stage.work / ".git/objects")
    (stage.work / ".git/objects").write_text("x")


def no_git(stage: Stage, sha: str) -> None:
    shutil.rmtree(stage.work / ".git")


def git_fifo(stage: Stage, sha: str) -> None:
    shutil.rmtree(stage.work / ".git")
    os.mkfifo(stage.work / ".git")


def reftable(stage: Stage, sha: str) -> None:
    (stage.work / ".git/reftable").mkdir()


@pytest.mark.parametrize(
    ("plant", "code"),
    [
        (gitfile, "git-not-directory"),
        (git_symlink, "git-not-directory"),
        (git_fifo, "git-not-directory"),
        (no_git, "git-missing"),
        (commondir, "git-redirected"),
        (gitdir, "git-redirected"),
        (reftable, "git-reftable"),
        (alternates, "objects-redirected"),
        (http_alternates, "objects-redirected"),
        (objects_symlink, "objects-redirected"),
        (objects_file, "objects-redirected"),
        (fan_out_symlink, "objects-special-file"),
        (object_symlink, "objects-special-file"),
        (object_fifo, "objects-special-file"),
        (pack_fifo, "objects-special-file"),
        (alternates_fifo, "objects-special-file"),
    ],
)
def test_a_git_that_leads_elsewhere_is_refused_and_the_files_are_saved(
    stage: Stage, private: str, plant: Callable[[Stage, str], None], code: str
) -> None:
    (stage.work / "new.txt").write_text("work\n")
    plant(stage, private)
    began = time.monotonic()
    collected = stage.collect()
    assert time.monotonic() - began < 5
    assert {code, "salvaged"} <= collected.codes()
    assert "git-structure" in collected.blocked_by()
    assert collected.report.salvaged
    assert collected.files() == {"new.txt", "readme.txt", "src/main.py"}
    assert git(collected.quarantine.git_dir, "cat-file", "-t", private, check=False) == ""


def special(kind: str, path: Path, elsewhere: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        here = os.open(path.parent, os.O_RDONLY)  # sun_path is short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)
    else:
        path.symlink_to(elsewhere)


@pytest.mark.parametrize("kind", ["fifo", "socket", "symlink"])
@pytest.mark.parametrize(
    "place", ["HEAD", "config", "packed-refs", "index", "refs/heads/main", "refs/heads/x", "refs/tags/x", "refs"]
)
def test_a_special_file_in_git_is_never_opened(stage: Stage, private: str, place: str, kind: str) -> None:
    stage.commit("good")
    special(kind, stage.work / ".git" / place, stage.root / "private/.git" / place)
    (stage.work / "new.txt").write_text("x")
    began = time.monotonic()
    collected = stage.collect()
    assert time.monotonic() - began < 5
    assert collected.blocked_by() == {"git-structure"}
    assert "new.txt" in collected.files()
    assert private not in {branch.sha for branch in collected.report.branches}


def test_stale_locks_and_a_junk_index_are_no_matter(stage: Stage) -> None:
    sha = stage.commit("good")
    for name in ("index.lock", "HEAD.lock", "refs/heads/main.lock", "config.lock"):
        (stage.work / ".git" / name).write_text("")
    (stage.work / ".git/index").write_bytes(os.urandom(500))
    (stage.work / ".git/config").write_bytes(b"[broken\n\x00")
    collected = stage.collect()
    assert [branch.sha for branch in collected.report.branches] == [sha]
    assert collected.blocked_by() == set()


def test_giant_and_hostile_reflogs_are_not_read(stage: Stage) -> None:
    stage.commit("good")
    (stage.work / ".git/logs/HEAD").unlink()
    os.mkfifo(stage.work / ".git/logs/HEAD")
    with (stage.work / ".git/logs/refs/heads/main").open("wb") as stream:
        stream.truncate(1 << 40)
    assert stage.collect().blocked_by() == set()


def test_a_lying_commit_graph_is_not_believed(stage: Stage) -> None:
    head = stage.commit("good")
    git(stage.work, "commit-graph", "write", "--reachable")
    graph = next((stage.work / ".git/objects/info").glob("commit-graph"))
    graph.chmod(0o644)
    graph.write_bytes(graph.read_bytes().replace(bytes.fromhex(head), os.urandom(20)))
    assert stage.collect().blocked_by() == set()


# ---- broken objects (ATTACKS 155)


@pytest.mark.parametrize("how", ["missing", "truncated", "other"])
def test_a_broken_object_of_the_checked_out_branch_blocks_and_the_files_and_other_branches_are_saved(
    stage: Stage, how: str
) -> None:
    git(stage.work, "checkout", "-qb", "sound")
    stage.commit("sound", path="sound.txt")
    git(stage.work, "checkout", "-q", "main")
    stage.commit("broken", path="broken.txt", text="gone\n")
    victim = loose(stage.work, git(stage.work, "rev-parse", "HEAD:broken.txt"))
    stage.commit("later", path="broken.txt", text="precious\n")
    victim.chmod(0o644)
    if how == "missing":
        victim.unlink()
    elif how == "truncated":
        victim.write_bytes(victim.read_bytes()[:5])
    else:
        victim.write_bytes(loose(stage.work, git(stage.work, "rev-parse", "sound:sound.txt")).read_bytes())
    collected = stage.collect()
    assert collected.blocked_by() >= {"git-structure"}
    if how == "other":  # git packs a wrong object without noticing; the quarantine does notice
        assert "bundle-refused" in collected.codes()
    else:
        assert collected.report.salvaged
        assert collected.content("broken.txt") == "precious"
        assert {branch.inside for branch in collected.report.branches} == {"main", "sound"}


def test_a_lost_object_whose_content_is_still_in_the_work_tree_is_made_again(stage: Stage) -> None:
    sha = stage.commit("good", path="lost.txt", text="lost\n")
    loose(stage.work, git(stage.work, "rev-parse", "HEAD:lost.txt")).unlink()
    collected = stage.collect()
    assert [branch.sha for branch in collected.report.branches] == [sha]
    assert (collected.blocked_by(), collected.content("lost.txt")) == (set(), "lost")


def test_a_broken_other_branch_is_told_and_the_rest_comes(stage: Stage) -> None:
    git(stage.work, "checkout", "-qb", "broken")
    stage.commit("broken", path="broken.txt", text="x")
    victim = loose(stage.work, git(stage.work, "rev-parse", "HEAD:broken.txt"))
    git(stage.work, "checkout", "-q", "main")
    sha = stage.commit("good")
    victim.unlink()
    collected = stage.collect()
    assert [branch.sha for branch in collected.report.branches] == [sha]
    assert "branch-unusable" in collected.codes()
    assert collected.blocked_by() == set()


# ---- uncommitted work in every shape


@pytest.fixture
def open_stage() -> Iterator[Stage]:
    """A stage that others than root may reach; pytest's own directories are closed to them."""
    with tempfile.TemporaryDirectory(prefix="paddock-test-") as name:
        Path(name).chmod(0o755)
        yield Stage(Path(name))


def as_owner(stage: Stage) -> Identity | None:
    """Root may open anything, so that modes say nothing; as the container does, become the files' owner first."""
    if os.geteuid() != 0:
        return None
    for folder in (stage.work, stage.root / "out"):
        subprocess.run(["chown", "-R", f"{ORDINARY.uid}:{ORDINARY.gid}", folder], check=True)
    return ORDINARY


def test_files_and_folders_of_mode_000_are_collected(open_stage: Stage) -> None:
    (open_stage.work / "shut/deep").mkdir(parents=True)
    (open_stage.work / "shut/deep/a.txt").write_text("a\n")
    (open_stage.work / "b.txt").write_text("b\n")
    user = as_owner(open_stage)
    for path, mode in (("b.txt", 0), ("readme.txt", 0), ("shut/deep", 0), ("shut", 0), ("src", 0o600)):
        (open_stage.work / path).chmod(mode)
    collected = open_stage.collect(user)
    assert collected.files() == {"b.txt", "readme.txt", "shut/deep/a.txt", "src/main.py"}
    assert collected.codes() == set()


def test_a_git_of_mode_000_is_opened_again(open_stage: Stage) -> None:
    sha = open_stage.commit("good")
    user = as_owner(open_stage)
    for name in ("objects/pack", "objects", "refs/heads", "refs", ""):
        (open_stage.work / ".git" / name).chmod(0)
    assert [branch.sha for branch in open_stage.collect(user).report.branches] == [sha]


def test_names_of_any_bytes_are_collected_and_flagged(stage: Stage) -> None:
    names = [b"new\nline", b"\xff\xfe", b"\x1b[31m", b"-rf", b" ", b"a\tb", b'"', b"\\", b":(top)x", b"x" * 255, b"*"]
    for name in names:
        (stage.work / os.fsdecode(name)).write_text("x")
    collected = stage.collect()
    assert {os.fsencode(name) for name in collected.files()} == {*names, b"readme.txt", b"src/main.py"}
    assert collected.verdict("names") is Verdict.FLAGGED
    assert collected.blocked_by() == set()


def test_a_file_whose_name_means_git_is_left_behind_and_told(stage: Stage) -> None:
    for name in ("git~1", ".GIT"):
        (stage.work / name).mkdir()
        (stage.work / name / "config").write_text("x")
    (stage.work / "new.txt").write_text("x")
    collected = stage.collect()
    assert "leftovers-incomplete" in collected.codes()
    assert collected.files() == {"new.txt", "readme.txt", "src/main.py"}


def test_a_tree_deeper_than_any_path_costs_only_itself(stage: Stage) -> None:
    (stage.work / "new.txt").write_text("x")
    here = os.open(stage.work, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("ddd", dir_fd=here)
        below = os.open("ddd", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    collected = stage.collect()
    assert "new.txt" in collected.files()
    assert "leftovers-incomplete" in collected.codes()
    subprocess.run(["rm", "-rf", stage.work / "ddd"], check=True)


def test_line_ends_follow_the_trees_own_attributes(stage: Stage) -> None:
    (stage.work / ".gitattributes").write_text("*.txt text eol=crlf\n")
    (stage.work / "dos.txt").write_bytes(b"a\r\nb\r\n")
    (stage.work / "raw.dat").write_bytes(b"a\r\nb\r\n")
    collected = stage.collect()
    assert git(collected.quarantine.git_dir, "cat-file", "-s", "refs/paddock/primary:dos.txt") == "4"
    assert git(collected.quarantine.git_dir, "cat-file", "-s", "refs/paddock/primary:raw.dat") == "6"
    assert collected.codes() == set()


def test_an_encoding_that_does_not_fit_loses_nothing(stage: Stage) -> None:
    (stage.work / ".gitattributes").write_text("*.txt working-tree-encoding=UTF-16\n")
    (stage.work / "odd.txt").write_bytes(b"\x00\xd8\x00")
    collected = stage.collect()
    assert git(collected.quarantine.git_dir, "cat-file", "-s", "refs/paddock/primary:odd.txt") == "3"


def test_fifos_and_sockets_in_the_tree_are_skipped(stage: Stage) -> None:
    os.mkfifo(stage.work / "pipe")
    special("socket", stage.work / "socket", stage.root)
    for name in (".gitignore", "src/.gitattributes"):
        os.mkfifo(stage.work / name)
    (stage.work / "new.txt").write_text("x")
    began = time.monotonic()
    collected = stage.collect()
    assert time.monotonic() - began < 5
    assert collected.files() == {"new.txt", "readme.txt", "src/main.py"}
    assert (stage.work / ".gitignore").is_fifo()  # back where it was


def test_a_file_that_is_too_large_is_left_behind_and_told_unless_it_is_ignored(stage: Stage) -> None:
    (stage.work / ".gitignore").write_text("cache\n")
    for name in ("core", "cache"):
        with (stage.work / name).open("wb") as stream:
            stream.truncate(1 << 40)
    collected = stage.collect()
    assert collected.files() == {".gitignore", "readme.txt", "src/main.py"}
    assert collected.detail("leftovers") == "core is larger than 104857600 bytes"


def nested(stage: Stage, name: str = "sub") -> Path:
    inner = stage.work / name
    stage.make_repository(inner)
    (inner / "inner.txt").write_text("inner\n")
    git(inner, "add", "-A")
    git(inner, "commit", "-qm", "inner")
    return inner


def test_the_files_of_a_nested_repository_are_taken_and_it_is_told(stage: Stage) -> None:
    nested(stage)
    nested(stage, "sub/deeper")
    collected = stage.collect()
    assert collected.files() == {"readme.txt", "src/main.py", "sub/inner.txt", "sub/deeper/inner.txt"}
    assert "sub is a repository of its own" in collected.detail("leftovers")
    assert (stage.work / "sub/.git/HEAD").exists()  # back where it was
    assert not list(stage.work.glob(".paddock-aside-*"))


def test_what_a_killed_collector_had_set_aside_is_not_taken_for_work(stage: Stage) -> None:
    inner = nested(stage)
    (stage.work / ".paddock-aside-0123").mkdir()
    (inner / ".git").rename(stage.work / ".paddock-aside-0123/0")
    collected = stage.collect()
    assert collected.files() == {"readme.txt", "src/main.py", "sub/inner.txt"}
    assert ".paddock-aside-0123 is left out" in collected.detail("leftovers")


def test_a_link_that_the_agent_made_to_a_nested_repository_is_replaced_by_its_files(stage: Stage) -> None:
    nested(stage)
    git(stage.work, "-c", "advice.addEmbeddedRepo=false", "add", "-A")
    git(stage.work, "commit", "-qm", "with a link")
    collected = stage.collect()
    assert "sub/inner.txt" in collected.files()
    assert collected.verdict("gitlinks") is Verdict.PASSED


def test_a_submodule_from_the_start_stays_a_link(stage: Stage) -> None:
    git(stage.work, "update-index", "--add", "--cacheinfo", f"160000,{'a' * 40},lib")
    git(stage.work, "commit", "-qm", "submodule")
    git(stage.user, "fetch", "-q", str(stage.work), "main")
    stage.start = git(stage.work, "rev-parse", "HEAD")
    (stage.work / "lib").mkdir()
    stage.commit("work")
    nested(stage, "lib")
    collected = stage.collect()
    assert collected.files() == {"lib", "readme.txt", "src/main.py"}
    assert collected.verdict("gitlinks") is Verdict.PASSED


def test_a_nested_repository_neither_runs_anything_nor_hangs(stage: Stage, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    inner = nested(stage)
    git(stage.work, "-c", "advice.addEmbeddedRepo=false", "add", "-A")
    git(stage.work, "commit", "-qm", "with a link")
    git(inner, "config", "core.fsmonitor", f"touch {canary}; false")
    (inner / "inner.txt").write_text("dirty\n")
    git(stage.work, "add", "-A")
    assert canary.exists()  # control: git in the workspace does run it
    canary.unlink()
    (stage.work / "other").mkdir()
    (stage.work / "other/.git").mkdir()
    for name in ("HEAD", "config"):
        os.mkfifo(stage.work / "other/.git" / name)
    os.mkfifo(stage.work / "src/.git")
    (stage.work / "other/file").write_text("x")
    began = time.monotonic()
    collected = stage.collect()
    assert time.monotonic() - began < 5
    assert not canary.exists()
    assert {"sub/inner.txt", "other/file"} <= collected.files()


def test_leftovers_that_cannot_be_saved_do_not_cost_the_commits(stage: Stage, tmp_path: Path) -> None:
    sha = stage.commit("good")
    (stage.work / "new.txt").write_text("x")
    shim = tmp_path / "bin"
    shim.mkdir()
    (shim / "git").write_text(
        f'#!/bin/sh\n[ $1 = add ] || exec {shutil.which("git")} "$@"\necho $$ > {tmp_path}/pid\nsleep 60 & wait\n'
    )
    (shim / "git").chmod(0o755)
    script = shutil.copytree(SCRIPT, tmp_path / "collector")
    door = script / "repository.py"
    door.write_text(door.read_text().replace('"PATH": "', f'"PATH": "{shim}:'))
    (stage.root / "inbox/collect.json").write_text(json.dumps(stage.request(step_seconds=2.0)))
    argv = [sys.executable, "-I", "-B", str(script), *stage.places()]
    subprocess.run(argv, check=True, timeout=20, env=PERSON)
    collected = stage.receive(read_report(stage.root / "out"))
    assert [branch.sha for branch in collected.report.branches] == [sha]
    assert "took longer than 2.0 s" in collected.detail("leftovers")
    assert collected.blocked_by() == set()
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_a_request_that_cannot_be_read_still_gets_a_report(stage: Stage) -> None:
    (stage.root / "inbox/collect.json").write_text("{")
    subprocess.run([sys.executable, "-I", "-B", SCRIPT, *stage.places()], check=True, timeout=20, env=PERSON)
    report = json.loads((stage.root / "out/report.json").read_text())
    assert report["problems"][0]["code"] == "collector-failed"


# ---- planted programs (ATTACKS 134-145): none runs, in any step from the workspace to the user's branch


def plant_config(*lines: str) -> Callable[[Stage, str], None]:
    def plant(stage: Stage, canary: str) -> None:
        with (stage.work / ".git/config").open("a") as stream:
            stream.write("".join(line.replace("CANARY", canary) + "\n" for line in lines))

    return plant


def plant_attributes(attributes: str, *lines: str) -> Callable[[Stage, str], None]:
    def plant(stage: Stage, canary: str) -> None:
        plant_config(*lines)(stage, canary)
        (stage.work / ".gitattributes").write_text(attributes)
        (stage.work / ".git/info/attributes").write_text(attributes)

    return plant


def plant_hooks(stage: Stage, canary: str) -> None:
    for name in ("post-index-change", "reference-transaction", "pre-commit", "post-checkout", "pre-auto-gc", "update"):
        hook = stage.work / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {canary}\n")
        hook.chmod(0o755)
    plant_config("[core]", "hooksPath = .git/hooks")(stage, canary)


def plant_include(stage: Stage, canary: str) -> None:
    (stage.work / ".git/payload").write_text(f'[core]\nfsmonitor = "touch {canary}; false"\n')
    plant_config("[include]", "path = payload", '[includeIf "gitdir:**"]', "path = payload")(stage, canary)


def plant_worktree_config(stage: Stage, canary: str) -> None:
    (stage.work / ".git/config.worktree").write_text(f'[core]\nfsmonitor = "touch {canary}; false"\n')
    git(stage.work, "config", "core.repositoryFormatVersion", "1")
    plant_config("[extensions]", "worktreeConfig = true")(stage, canary)


def plant_promisor(stage: Stage, canary: str) -> None:
    victim = loose(stage.work, git(stage.work, "rev-parse", "HEAD:readme.txt"))
    victim.unlink()
    git(stage.work, "config", "core.repositoryFormatVersion", "1")
    plant_config(
        "[extensions]", "partialClone = evil",
        '[remote "evil"]', 'url = "ext::sh -c touch% CANARY"', "promisor = true",
        '[protocol "ext"]', "allow = always",
    )(stage, canary)  # fmt: skip


def plant_signed(stage: Stage, canary: str) -> None:
    raw = git(stage.work, "cat-file", "commit", "HEAD").replace("\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n\n", 1)
    sha = write_object(stage.work, "commit", raw.encode() + b"\n")
    git(stage.work, "reset", "-q", "--soft", sha)
    program = stage.work / ".git/gpg"
    program.write_text(f"#!/bin/sh\ntouch {canary}\n")
    program.chmod(0o755)
    plant_config("[log]", "showSignature = true", "[commit]", "gpgSign = true", "[gpg]", f"program = {program}")(
        stage, canary
    )


PLANTED: dict[str, tuple[Callable[[Stage, str], None], list[str]]] = {
    "fsmonitor": (plant_config("[core]", 'fsmonitor = "touch CANARY; false"'), ["status"]),
    "hooks": (plant_hooks, ["commit", "--allow-empty", "-m", "x"]),
    "include": (plant_include, ["status"]),
    "worktree config": (plant_worktree_config, ["status"]),
    "external diff": (plant_config("[diff]", 'external = "touch CANARY; true"'), ["diff"]),
    "diff command": (plant_attributes("* diff=x\n", '[diff "x"]', 'command = "touch CANARY; true"'), ["diff"]),
    "textconv": (plant_attributes("* diff=x\n", '[diff "x"]', 'textconv = "touch CANARY; cat"'), ["diff"]),
    "clean filter": (plant_attributes("* filter=x\n", '[filter "x"]', 'clean = "touch CANARY; cat"'), ["add", "-A"]),
    "process filter": (plant_attributes("* filter=x\n", '[filter "x"]', 'process = "touch CANARY"'), ["add", "-A"]),
    "smudge filter": (
        plant_attributes("* filter=x\n", '[filter "x"]', 'smudge = "touch CANARY; cat"'),
        ["checkout", "-f", "HEAD~1"],
    ),
    "gpg program": (plant_signed, ["log"]),
    "promisor": (plant_promisor, ["log", "-p"]),
    "ssh command": (
        plant_config("[core]", 'sshCommand = "touch CANARY; false"', '[remote "o"]', "url = ssh://x/y"),
        ["fetch", "o"],
    ),
    "upload pack": (
        plant_config('[remote "o"]', "url = .", 'uploadpack = "touch CANARY; git-upload-pack"'), ["fetch", "o"]
    ),
    "insteadOf": (
        plant_config(
            '[url "ext::sh -c touch% CANARY;"]', "insteadOf = file://", '[protocol "ext"]', "allow = always",
            '[remote "o"]', "url = file://x",
        ),
        ["fetch", "o"],
    ),
    "alias and pager": (plant_config("[alias]", 'st = "!touch CANARY"', "[core]", "editor = touch CANARY"), ["st"]),
    "credential helper": (plant_config("[credential]", 'helper = "!touch CANARY"'), ["credential", "fill"]),
    "merge driver": (
        plant_attributes("* merge=x\n", '[merge "x"]', 'driver = "touch CANARY; false"', '[merge]', "renormalize = 1"),
        [],
    ),
    "pack hook": (
        plant_config(
            "[uploadpack]", 'packObjectsHook = "touch CANARY; false"',
            "[core]", 'alternateRefsCommand = "touch CANARY"',
        ),
        [],
    ),
    "submodule command": (
        plant_config('[submodule "x"]', "path = sub", "url = .", "active = true", 'update = "!touch CANARY"'), []
    ),
    "trailer and tar": (
        plant_config('[trailer "x"]', 'command = "touch CANARY"', '[tar "x"]', 'command = "touch CANARY"'), []
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_program_never_runs(stage: Stage, tmp_path: Path, name: str) -> None:
    plant, control = PLANTED[name]
    canary = tmp_path / "canary"
    stage.commit("good", text="one\n")
    plant(stage, str(canary))
    (stage.work / "readme.txt").write_text("left\n")
    (stage.work / "src/main.py").write_text("left too\n")
    copy = tmp_path / "copy"
    shutil.copytree(stage.work, copy, symlinks=True)
    if control:
        git(copy, *control, check=False, stdin=b"protocol=https\nhost=x\n\n", GIT_TERMINAL_PROMPT="0")
        assert canary.exists(), "the control leg must show that there was something to run"
        canary.unlink()
    collected = stage.collect()
    stage.land(collected)
    assert not canary.exists()
    assert "readme.txt" in collected.files()
    if name != "promisor":
        assert collected.blocked_by() == set()
        assert collected.content("readme.txt") == "left"


# ---- pure


@given(st.text())
def test_a_name_that_is_accepted_is_one_for_git_too(name: str) -> None:
    if is_branch_name(name):
        assert name.isprintable()
        assert not name.startswith(("-", "/", "."))


@settings(max_examples=40)
@given(st.text(st.sampled_from("ab./-@{~^:?*[\\ \x7f\u202eé"), min_size=1, max_size=8))
def test_gits_own_rules_are_never_looser(name: str) -> None:
    if is_branch_name(name):
        done = subprocess.run(
            ["git", "check-ref-format", "--branch", name], env=PERSON, capture_output=True, check=False
        )
        assert done.returncode == 0


@given(st.one_of(st.binary(), st.text(), st.text(st.characters(categories=("Cs", "Cc", "Cf")))))
def test_texts_in_the_report_are_plain_and_short(text: str | bytes) -> None:
    spelled = spell(text)
    assert spelled.isprintable() or all(c.isspace() for c in spelled if not c.isprintable())
    assert json.loads(json.dumps(spelled)) == spelled


@pytest.mark.parametrize("value", [b"", b"0" * 39, b"ref: refs/heads/main"])
def test_a_branch_that_was_cut_off_is_told_and_its_workspace_is_kept(stage: Stage, value: bytes) -> None:
    sha = stage.commit("good")
    (stage.work / ".git/refs/heads/cut").write_bytes(value)
    collected = stage.collect()
    assert [branch.sha for branch in collected.report.branches] == [sha]
    assert "the branch cut holds no id" in collected.detail("refs")
    assert collected.report.problems, "a report without problems lets the workspace go"
