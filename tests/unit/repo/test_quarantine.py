"""The host's side: hostile files and objects stop here, and the user's repository only gains refs."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import struct
import subprocess
import tempfile
import time
import traceback
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.errors import GitError, StoreError
from runner.model.result import Verdict
from runner.repo import gates, importing, inspection, quarantine
from runner.repo.evidence import CollectorReport
from runner.repo.git import ProcessLimits, run_git
from runner.repo.importing import import_branches, name_branches
from runner.repo.inspection import write_patch
from runner.repo.quarantine import keep_bundle, make_quarantine, read_report, receive_bundle
from tests.unit.repo.collection_kit import ORDINARY, Collected, Stage, git, whole_flow


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def write_object(stage: Stage, kind: str, raw: bytes) -> str:
    return git(stage.work, "hash-object", "-t", kind, "-w", "--literally", "--stdin", stdin=raw)


def tree_of(stage: Stage, *entries: tuple[bytes, bytes, str]) -> str:
    raw = b"".join(mode + b" " + name + b"\0" + bytes.fromhex(sha) for mode, name, sha in entries)
    return write_object(stage, "tree", raw)


def commit_tree(stage: Stage, tree: str) -> str:
    sha = git(stage.work, "commit-tree", "-p", stage.start, "-m", "planted", tree)
    git(stage.work, "update-ref", "refs/heads/main", sha)
    return sha


def commit_raw(stage: Stage, *, tail: bytes = b"\nmessage\n", **headers: bytes) -> str:
    tree = git(stage.work, "rev-parse", f"{stage.start}^{{tree}}").encode()
    ident = b"Ada <ada@example.com> 1700000000 +0000"
    raw = b"tree " + tree + b"\nparent " + stage.start.encode() + b"\n"
    raw += b"author " + headers.get("author", ident) + b"\ncommitter " + headers.get("committer", ident) + b"\n" + tail
    sha = write_object(stage, "commit", raw)
    git(stage.work, "update-ref", "refs/heads/main", sha)
    return sha


def collect_commits(stage: Stage) -> Collected:
    return stage.collect(leftovers=False)


# ---- hostile objects (ATTACKS 162-164)


@pytest.mark.parametrize(
    "name", [b".git", b".GIT", b"git~1", ".g\u200cit".encode(), b"..", b".", b"a/b", b"", b"/x"]
)  # fmt: skip
def test_a_tree_with_a_name_that_escapes_never_comes_in(stage: Stage, name: bytes) -> None:
    blob = git(stage.work, "rev-parse", "HEAD:readme.txt")
    commit_tree(stage, tree_of(stage, (b"100644", name, blob)))
    collected = collect_commits(stage)
    assert {"bundle-refused", "bundle-malformed", "primary-unusable", "bundle-failed"} & collected.codes()
    assert "git-structure" in collected.blocked_by()
    assert collected.evidence.branches == ()


@pytest.mark.parametrize(
    "entries",
    [
        ((b"100644", b"a"), (b"100644", b"a")),
        ((b"100644", b"b"), (b"100644", b"a")),
        ((b"0100644", b"a"),),
        ((b"120000", b".gitmodules"),),
    ],
)
def test_a_malformed_tree_never_comes_in(stage: Stage, entries: tuple[tuple[bytes, bytes], ...]) -> None:
    blob = git(stage.work, "rev-parse", "HEAD:readme.txt")
    commit_tree(stage, tree_of(stage, *((mode, name, blob) for mode, name in entries)))
    assert "git-structure" in collect_commits(stage).blocked_by()


@pytest.mark.parametrize(
    "text",
    [
        b'[submodule "x"]\n\tpath = x\n\turl = -u./payload\n',
        b'[submodule "x"]\n\tpath = --x\n\turl = https://example.com/x\n',
        b'[submodule "../../x"]\n\tpath = x\n\turl = https://example.com/x\n',
        b'[submodule "x"]\n\tpath = x\n\turl = https://example.com/x\n\tupdate = !touch canary\n',
        b'[submodule "x"]\n\tpath = x\n\turl = "https://example.com/\\n?x"\n',
    ],
)
def test_a_gitmodules_that_hurts_recursive_clones_never_comes_in(stage: Stage, text: bytes) -> None:
    blob = write_object(stage, "blob", text)
    commit_tree(stage, tree_of(stage, (b"100644", b".gitmodules", blob)))
    assert "bundle-refused" in collect_commits(stage).codes()


def test_a_path_with_a_trailing_carriage_return_is_at_least_flagged(stage: Stage) -> None:
    blob = write_object(stage, "blob", b'[submodule "x"]\n\tpath = "x\r"\n\turl = https://example.com/x\n')
    commit_tree(stage, tree_of(stage, (b"100644", b".gitmodules", blob), (b"160000", b"x\r", "a" * 40)))
    collected = collect_commits(stage)
    assert collected.verdict("gitmodules") is Verdict.FLAGGED
    assert collected.verdict("gitlinks") is Verdict.FLAGGED
    assert r"x\x0d" in collected.detail("names")


@pytest.mark.parametrize(
    ("headers", "tail"),
    [
        ({}, b"\nmess\0age\n"),
        ({"author": b"Ada <ada@example.com> notadate +0000"}, b"\nm\n"),
        ({"author": b"Ada <ada@example.com> 99999999999999999999999 +0000"}, b"\nm\n"),
        ({"author": b"Ada <<> 1 +0000"}, b"\nm\n"),
        ({"committer": b"nobody"}, b"\nm\n"),
    ],
)
def test_a_malformed_commit_never_comes_in(stage: Stage, headers: dict[str, bytes], tail: bytes) -> None:
    commit_raw(stage, tail=tail, **headers)
    collected = collect_commits(stage)
    assert "git-structure" in collected.blocked_by()
    assert collected.evidence.branches == ()


def test_a_commit_with_four_signatures_is_blocked(stage: Stage) -> None:
    commit_raw(stage, tail=b"gpgsig x\n" * 4 + b"\nmessage\n")
    collected = collect_commits(stage)
    assert "repeated-signatures" in collected.blocked_by()
    assert "has 4 gpgsig headers" in collected.detail("repeated-signatures")


def test_hostile_texts_arrive_escaped(stage: Stage) -> None:
    commit_raw(
        stage,
        author=b"\x1b]8;;http://x\x07Mal <m@x> 1700000000 +0000",
        tail=b"encoding \xff\n\n\x1b[2J\xe2\x80\xaesubject\xff\nbody\n",
    )
    commit = collect_commits(stage).evidence.branches[0].commits[0]
    assert commit.author == r"\x1b]8;;http://x\x07Mal <m@x>"
    assert commit.subject == r"\x1b[2J\u202esubject\xff"


def test_symlinks_links_and_steering_files_are_seen_in_real_trees(stage: Stage) -> None:
    (stage.work / "out").symlink_to("../../etc/passwd")
    (stage.work / "in").symlink_to("src/main.py")
    (stage.work / ".envrc").write_text("x")
    (stage.work / ".github/workflows").mkdir(parents=True)
    (stage.work / ".github/workflows/ci.yml").write_text("x")
    (stage.work / "src/main.py").chmod(0o755)
    collected = stage.collect()
    assert collected.gates["symlinks"].detail == ("out -> ../../etc/passwd: leaves the work tree",)
    assert collected.gates["runs-later"].detail == (".envrc (shells and environments)",)
    assert collected.gates["runs-in-ci"].detail == (".github/workflows/ci.yml (CI)",)
    assert collected.blocked_by() == set()
    modes = {change.path: (change.old_mode, change.new_mode) for change in collected.evidence.branches[0].changes}
    assert modes[b"src/main.py"] == (0o100644, 0o100755)


def test_merges_roots_binaries_and_counts_are_right(stage: Stage) -> None:
    git(stage.work, "checkout", "-qb", "side")
    stage.commit("side", path="side.txt", text="1\n2\n")
    git(stage.work, "checkout", "-q", "main")
    stage.commit("main", text="a\nb\nc\n")
    git(stage.work, "merge", "-q", "--no-edit", "side")
    (stage.work / "bin").write_bytes(bytes(range(256)))
    git(stage.work, "add", "bin")
    git(stage.work, "commit", "-qm", "binary")
    commits = {c.subject: c for c in collect_commits(stage).evidence.branches[0].commits}
    assert (commits["side"].files, commits["side"].insertions, commits["side"].deletions) == (1, 2, 0)
    assert (commits["main"].files, commits["main"].insertions, commits["main"].deletions) == (1, 3, 1)
    assert (commits["Merge branch 'side'"].files, len(commits["Merge branch 'side'"].parents)) == (1, 2)
    assert (commits["binary"].files, commits["binary"].insertions) == (1, 0)


# ---- bombs and caps (ATTACKS 161)


def test_a_delta_that_asks_for_gigabytes_is_stopped_by_its_process_limit(stage: Stage) -> None:
    def head(kind: int, size: int) -> bytes:
        first, rest, out = (kind << 4) | (size & 15), size >> 4, b""
        while rest:
            out += bytes([first | 0x80])
            first, rest = rest & 0x7F, rest >> 7
        return out + bytes([first])

    def varint(number: int) -> bytes:
        out = b""
        while number > 0x7F:
            out += bytes([number & 0x7F | 0x80])
            number >>= 7
        return out + bytes([number])

    base = head(3, 65536) + zlib.compress(b"x" * 65536)
    delta = varint(65536) + varint(3 << 30) + bytes([0x80 | 0x40, 1]) * 10
    body = b"PACK" + struct.pack(">II", 2, 2) + base
    distance = len(base)
    offset = bytes([distance & 0x7F])
    while distance := distance >> 7:
        distance -= 1
        offset = bytes([0x80 | distance & 0x7F]) + offset
    body += head(6, len(delta)) + offset + zlib.compress(delta)
    sha = stage.commit("good")
    report = stage.run_collector()
    bundle = f"# v2 git bundle\n{sha} refs/paddock/primary\n\n".encode() + body + hashlib.sha1(body).digest()  # noqa: S324
    (stage.root / "out/changes.bundle").write_bytes(bundle)
    began = time.monotonic()
    collected = stage.receive(report)
    assert time.monotonic() - began < 5
    assert "bundle-refused" in collected.codes()
    assert "memory" in collected.detail("git-structure")


def test_a_large_blob_of_zeros_is_taken_in_little_memory(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = ProcessLimits(memory=64 * 1024 * 1024)
    monkeypatch.setattr(quarantine, "INSPECTION_LIMITS", limits)
    monkeypatch.setattr(inspection, "INSPECTION_LIMITS", limits)
    with (stage.work / "zeros").open("wb") as stream:
        stream.truncate(90 * 1024 * 1024)
    collected = stage.collect()
    assert collected.blocked_by() == set()
    assert collected.detail("large-files") == "zeros has 94371840 bytes"


def test_too_much_of_anything_blocks(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (gates, inspection):
        monkeypatch.setattr(module, "MAX_COMMITS", 1)
        monkeypatch.setattr(module, "MAX_CHANGED_FILES", 1)
    stage.commit("one")
    stage.commit("two", path="b.txt")
    assert stage.collect().blocked_by() == {"commit-count", "file-count"}


def test_a_bundle_over_the_cap_is_not_even_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MAX_BUNDLE_SIZE", 100)
    stage.commit("one")
    collected = stage.collect()
    assert "bundle-size" in collected.blocked_by()
    assert list((stage.root / "quarantine/objects/pack").iterdir()) == []


def test_what_git_cannot_show_within_its_limits_blocks(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.commit("one")
    report = stage.run_collector()
    monkeypatch.setattr(inspection, "run_git", functools.partial(run_git, max_output=10))
    collected = stage.receive(report)
    assert "too-large-to-read" in collected.codes()
    assert collected.blocked_by() == {"git-structure"}


# ---- hostile files of the collector


def plant_report(stage: Stage, how: str) -> None:  # noqa: C901 - a table of attacks
    path = stage.root / "out/report.json"
    good = path.read_text()
    path.unlink()
    match how:
        case "missing":
            pass
        case "symlink":
            (stage.root / "other.json").write_text(good)
            path.symlink_to(stage.root / "other.json")
        case "fifo":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "huge":
            with path.open("wb") as stream:
                stream.truncate(1 << 40)
        case "no json":
            path.write_bytes(b"\xff\x00{")
        case "unknown key":
            path.write_text(good.replace('"version"', '"more": 1, "version"'))
        case "wrong type":
            path.write_text(good.replace('"stash": false', '"stash": "no"'))
        case "other ref":
            path.write_text(good.replace("refs/paddock/primary", "refs/heads/main"))
        case "odd name":
            path.write_text(good.replace('"inside": "main"', '"inside": "../../x"'))
        case "no id":
            path.write_text(good.replace('"before": "', '"before": "\\n'))
        case _:
            path.write_text("[" * 100_000)


@pytest.mark.parametrize(
    "how",
    [
        "missing", "symlink", "fifo", "folder", "huge", "no json", "unknown key", "wrong type", "other ref",
        "odd name", "no id", "nested",
    ],
)  # fmt: skip
def test_a_report_that_cannot_be_believed_blocks(stage: Stage, how: str) -> None:
    stage.commit("good")
    stage.run_collector()
    plant_report(stage, how)
    began = time.monotonic()
    collected = stage.receive(read_report(stage.root / "out"))
    assert time.monotonic() - began < 3
    assert collected.codes() == {"report-malformed"}
    assert collected.blocked_by() == {"git-structure"}
    assert collected.detail("git-structure").isprintable()


def test_texts_of_a_report_are_escaped_when_they_are_read(stage: Stage) -> None:
    stage.run_collector()
    path = stage.root / "out/report.json"
    path.write_text(path.read_text().replace('"notes": []', '"notes": ["\\u001b[31m\\u202e"]'))
    assert read_report(stage.root / "out").notes == (r"\x1b[31m\u202e",)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=300))
def test_any_bytes_as_a_report_get_an_answer(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "report.json").write_bytes(data)
    assert read_report(tmp_path).problems[0].code == "report-malformed"


def plant_bundle(stage: Stage, how: str) -> None:
    path = stage.root / "out/changes.bundle"
    good = path.read_bytes()
    path.unlink()
    match how:
        case "missing":
            pass
        case "symlink":
            (stage.root / "other").write_bytes(good)
            path.symlink_to(stage.root / "other")
        case "fifo":
            os.mkfifo(path)
        case "truncated":
            path.write_bytes(good[:-30])
        case "flipped":
            path.write_bytes(good[:-40] + bytes([good[-40] ^ 1]) + good[-39:])
        case "no pack":
            path.write_bytes(good.partition(b"\n\n")[0] + b"\n\n")
        case "garbage":
            path.write_bytes(os.urandom(500))
        case "other ref":
            path.write_bytes(good.replace(b"refs/paddock/primary", b"refs/paddock/primarx"))
        case _:
            path.write_bytes(good.replace(b"# v2 git bundle\n", b"# v3 git bundle\n@filter=blob:none\n"))


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("missing", "bundle-missing"),
        ("symlink", "bundle-malformed"),
        ("fifo", "bundle-malformed"),
        ("truncated", "bundle-refused"),
        ("flipped", "bundle-refused"),
        ("no pack", "bundle-refused"),
        ("garbage", "bundle-malformed"),
        ("other ref", "bundle-malformed"),
        ("filter", "bundle-malformed"),
    ],
)
def test_a_bundle_that_is_not_what_the_report_says_blocks(stage: Stage, how: str, code: str) -> None:
    stage.commit("good")
    report = stage.run_collector()
    plant_bundle(stage, how)
    collected = stage.receive(report)
    assert collected.codes() == {code}
    assert collected.blocked_by() == {"git-structure"}


def test_a_tip_that_the_bundle_does_not_hold_is_refused(stage: Stage) -> None:
    head = stage.commit("good")
    report = stage.run_collector()
    other = "d" * 40
    bundle = stage.root / "out/changes.bundle"
    bundle.write_bytes(bundle.read_bytes().replace(head.encode(), other.encode(), 1))
    lying = CollectorReport.model_validate_json(report.model_dump_json().replace(head, other))
    assert stage.receive(lying).codes() == {"bundle-malformed"}


def test_a_bundle_that_builds_on_what_the_host_lacks_is_refused(stage: Stage) -> None:
    stage.start = stage.commit("only in the workspace")
    stage.commit("more", text="more\n")
    collected = stage.collect()
    assert "bundle-refused" in collected.codes()


def test_the_bundle_is_kept_as_evidence_and_never_through_a_link(stage: Stage) -> None:
    stage.commit("good")
    stage.run_collector()
    bundle = stage.root / "out/changes.bundle"
    assert keep_bundle(bundle, stage.root / "kept")
    assert (stage.root / "kept").read_bytes() == bundle.read_bytes()
    bundle.unlink()
    assert not keep_bundle(bundle, stage.root / "none")
    bundle.symlink_to("/etc/passwd")
    with pytest.raises(StoreError):
        keep_bundle(bundle, stage.root / "passwd")
    assert not (stage.root / "passwd").exists()


def test_an_object_directory_that_git_would_misread_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        make_quarantine(tmp_path / "q", alternates=[tmp_path / "a\n/etc"])


def test_a_shallow_users_repository_is_good_enough(stage: Stage) -> None:
    shallow = stage.root / "shallow"
    for number in range(2):
        (stage.user / "readme.txt").write_text(f"{number}\n")
        git(stage.user, "commit", "-qam", f"{number}")
    git(stage.root, "clone", "-q", "--depth=1", f"file://{stage.user}", str(shallow))
    git(stage.root, "clone", "-q", "--depth=1", f"file://{stage.user}", str(stage.root / "w2"))
    (stage.work / ".git").rename(stage.root / "old")
    (stage.root / "w2/.git").rename(stage.work / ".git")
    git(stage.work, "checkout", "-qf", "main")
    start = git(shallow, "rev-parse", "HEAD")
    stage.start = start
    stage.commit("good", path="new.txt")
    report = stage.run_collector(shallow=[start])
    place = make_quarantine(stage.root / "q", alternates=[shallow / ".git/objects"], shallow=[start])
    reception = receive_bundle(place, stage.root / "out/changes.bundle", report, deadline=30)
    found = inspection.gather_evidence(place, report, reception, start=start)
    assert not gates.blocked(gates.judge(found))
    import_branches(place, shallow / ".git", refs={"refs/heads/paddock/x": report.branches[0].sha}, exclude=[start])
    assert git(shallow, "log", "--format=%s", "paddock/x").splitlines()[0] == "good"


# ---- into the user's repository


def fingerprint(repository: Path) -> dict[str, str]:
    """Every file but objects, by content and mode."""
    return {
        str(path.relative_to(repository)): f"{path.lstat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in sorted(repository.rglob("*"))
        if path.is_file() and not path.is_relative_to(repository / ".git/objects")
    }


def test_the_users_repository_gains_the_new_refs_and_nothing_else(stage: Stage) -> None:
    hook = stage.user / ".git/hooks/reference-transaction"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {stage.root}/canary\n")
    hook.chmod(0o755)
    (stage.user / "readme.txt").write_text("the user is editing this\n")
    git(stage.work, "checkout", "-qb", "side/x")
    stage.commit("side")
    git(stage.work, "checkout", "-q", "main")
    stage.commit("main", text="main\n")
    before = fingerprint(stage.user)
    refs = stage.land(stage.collect())
    after = fingerprint(stage.user)
    assert {name: after.get(name) for name in before} == before
    assert {name for name in after if name not in before} == {
        f".git/{place}refs/heads/paddock/{name}" for place in ("", "logs/") for name in ("r1", "r1+side/x")
    }
    assert {ref: git(stage.user, "rev-parse", ref) for ref in refs} == refs
    assert git(stage.user, "fsck", "--strict") == ""
    assert not (stage.root / "canary").exists()


def test_a_ref_that_exists_stops_all_and_moves_nothing(stage: Stage) -> None:
    git(stage.work, "checkout", "-qb", "side")
    stage.commit("side")
    git(stage.work, "checkout", "-q", "main")
    stage.commit("main", text="main\n")
    git(stage.user, "branch", "paddock/r1+side")
    collected = stage.collect()
    before = fingerprint(stage.user)
    with pytest.raises(GitError, match=r"refs/heads/paddock/r1\+side exists already; no branch was moved"):
        stage.land(collected)
    assert fingerprint(stage.user) == before


def test_refs_that_stand_at_their_commits_already_are_as_they_should_be(stage: Stage) -> None:
    git(stage.work, "checkout", "-qb", "side")
    stage.commit("side")
    git(stage.work, "checkout", "-q", "main")
    stage.commit("main", text="main\n")
    collected = stage.collect()
    refs = stage.land(collected)
    assert len(refs) == 2
    assert stage.land_again(collected) == refs
    git(stage.user, "update-ref", "-d", "refs/heads/paddock/r1")
    assert stage.land_again(collected) == refs
    assert {ref: git(stage.user, "rev-parse", ref) for ref in refs} == refs


def test_what_a_paddock_left_half_written_stops_nobody(stage: Stage) -> None:
    head = stage.commit("good")
    collected = stage.collect()
    (stage.root / "kept.partial").write_text("half")
    (stage.root / "patch.partial").write_text("half")
    assert keep_bundle(stage.root / "out/changes.bundle", stage.root / "kept")
    assert write_patch(collected.quarantine, stage.start, head, stage.root / "patch")
    assert (stage.root / "patch").read_text().startswith("diff --git")


def test_a_branch_called_paddock_is_in_the_way_and_the_error_says_so(stage: Stage) -> None:
    git(stage.user, "branch", "paddock")
    stage.commit("main")
    with pytest.raises(GitError, match="refs/heads/paddock exists, so") as caught:
        stage.land(stage.collect())
    assert caught.value.hint == "rename the branch paddock"


@pytest.mark.parametrize("limit", [0, 500])
def test_few_objects_become_files_and_many_a_pack(stage: Stage, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "UNPACK_LIMIT", limit)
    stage.commit("main", text="hello\n" * 1000)
    refs = stage.land(stage.collect())
    assert list(refs) == ["refs/heads/paddock/r1"]
    assert bool(list((stage.user / ".git/objects/pack").glob("*.pack"))) == (limit == 0)
    assert git(stage.user, "fsck", "--strict") == ""


def test_a_linked_worktrees_repository_gets_the_branch_too(stage: Stage) -> None:
    git(stage.user, "worktree", "add", "-q", "-b", "linked", "../linked")
    stage.commit("main")
    collected = stage.collect()
    refs = {"refs/heads/paddock/x": collected.report.branches[0].sha}
    import_branches(collected.quarantine, stage.user / ".git/worktrees/linked", refs=refs, exclude=[stage.start])
    assert git(stage.user, "rev-parse", "paddock/x") == refs["refs/heads/paddock/x"]


def test_names_for_the_users_branches_do_not_clash(stage: Stage) -> None:
    stage.run_collector()
    raw = (stage.root / "out/report.json").read_text()
    names = ["main", "a", "a/b", "A", "a-b", "", "x/y"]
    branches = [
        {"inside": name, "ref": f"refs/paddock/other/{number}", "sha": "a" * 40, "before": None}
        for number, name in enumerate(names)
    ]
    branches[0]["ref"] = "refs/paddock/primary"
    report = CollectorReport.model_validate(
        CollectorReport.model_validate_json(raw).model_dump() | {"branches": branches}
    )
    named = list(name_branches("r1", report).values())
    assert named[:2] == ["refs/heads/paddock/r1", "refs/heads/paddock/r1+a"]
    assert named[5:] == ["refs/heads/paddock/r1+detached", "refs/heads/paddock/r1+x/y"]
    folded = [name.casefold() for name in named]
    assert len(set(folded)) == len(names)
    assert not [1 for one in folded for other in folded if one.startswith(other + "/")]


# ---- the patch


def test_the_patch_makes_the_same_tree_binary_files_and_modes_included(stage: Stage) -> None:
    (stage.work / "bin").write_bytes(bytes(range(256)) * 10)
    (stage.work / "link").symlink_to("bin")
    (stage.work / "src/main.py").chmod(0o755)
    (stage.work / "a\tb\n.txt").write_text("odd\n")
    (stage.work / "readme.txt").unlink()
    collected = stage.collect()
    head = collected.report.branches[0].sha
    assert write_patch(collected.quarantine, stage.start, head, stage.root / "diff.patch")
    git(stage.user, "apply", "--index", str(stage.root / "diff.patch"))
    assert git(stage.user, "write-tree") == git(collected.quarantine.git_dir, "rev-parse", f"{head}^{{tree}}")


def test_a_patch_that_is_too_large_is_not_left_half_written(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "MAX_PATCH", 10_000)
    (stage.work / "big").write_bytes(os.urandom(100_000))
    collected = stage.collect()
    head = collected.report.branches[0].sha
    assert not write_patch(collected.quarantine, stage.start, head, stage.root / "diff.patch")
    assert not list(stage.root.glob("diff.patch*"))


# ---- as whom


def test_the_whole_way_works(tmp_path: Path) -> None:
    whole_flow(tmp_path)


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A directory that others than root may reach; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory(prefix="paddock-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root shows it by every other test")
def test_the_whole_way_works_for_an_ordinary_user(open_root: Path) -> None:
    os.chown(open_root, ORDINARY.uid, ORDINARY.gid)
    child = os.fork()  # an interpreter of root's could not be started by anybody else, but it can go on
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(*[ORDINARY.gid] * 3)
            os.setresuid(*[ORDINARY.uid] * 3)
            whole_flow(open_root)
            os._exit(0)
        except Exception:  # noqa: BLE001 - it is told by the parent
            (open_root / "failure").write_text(traceback.format_exc())
        finally:
            os._exit(1)  # a forked child must never return into pytest
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, (open_root / "failure").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work in somebody else's repository")
@pytest.mark.parametrize("limit", [0, 500])
def test_root_leaves_only_the_owners_files_in_the_owners_repository(
    open_root: Path, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "UNPACK_LIMIT", limit)
    stage = Stage(open_root)
    stage.commit("main")
    owner = f"{ORDINARY.uid}:{ORDINARY.gid}"
    subprocess.run(["chown", "-R", owner, stage.user, stage.work, stage.root / "out"], check=True)
    collected = stage.collect(ORDINARY)
    stage.land(collected, owner=ORDINARY)
    assert {path.lstat().st_uid for path in stage.user.rglob("*")} == {ORDINARY.uid}
    assert (stage.root / "quarantine").stat().st_uid == 0
    assert stat.S_IMODE((stage.root / "quarantine").stat().st_mode) == 0o700
