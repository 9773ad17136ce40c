"""Each gate, on evidence made by hand: what blocks, what is flagged, what passes."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.model.gates import GATES
from runner.model.result import GateResult, Verdict
from runner.repo.evidence import (
    Added,
    BranchEvidence,
    Change,
    CollectorReport,
    Commit,
    Evidence,
    Finding,
    Problem,
)
from runner.repo.gates import (
    CHECKS,
    MAX_BUNDLE_SIZE,
    MAX_CHANGED_FILES,
    MAX_COMMITS,
    STRUCTURE_PROBLEMS,
    blocked,
    judge,
)
from runner.repo.later import runs_later
from runner.repo.listings import packed_sizes, parse_batch, parse_commit, parse_numstats, parse_raw_diff
from runner.repo.path_gates import LARGE_FILE

START, HEAD, BLOB = "1" * 40, "2" * 40, "3" * 40
CLEAN: dict[str, Any] = {
    "version": 1,
    "head": {"kind": "branch", "name": "main"},
    "branches": ({"inside": "main", "ref": "refs/paddock/primary", "sha": HEAD, "before": START},),
    "left": (),
    "deleted": (),
    "odd_refs": 0,
    "odd_names": (),
    "other_refs": 0,
    "stash": False,
    "uncommitted": False,
    "salvaged": False,
    "problems": (),
    "notes": (),
}
COMMIT = Commit(sha=HEAD, parents=(START,), author="Ada <ada@example.com>", subject="work")


def change(path: bytes, mode: int = 0o100644, *, status: str = "A", **more: Any) -> Change:
    return Change(path=path, status=status, old_mode=0, new_mode=mode, sha=BLOB, **({"size": 10} | more))


def evidence(*changes: Change, report: dict[str, Any] | None = None, **more: Any) -> Evidence:
    branch = BranchEvidence(
        inside="main",
        ref="refs/paddock/primary",
        head=HEAD,
        descends=more.pop("descends", True),
        commits=more.pop("commits", (COMMIT,)),
        changes=changes,
        spellings=more.pop("spellings", ()),
    )
    found = CollectorReport.model_validate(CLEAN | (report or {}))
    whole = Evidence(start=START, report=found, bundle_size=100, branches=(branch,), problems=found.problems)
    return dataclasses.replace(whole, **more)


FOUND = Finding(kind="GitHub token", path=b"config.py", line=3, commit=HEAD)
ALL_FLAGGED = evidence(
    *(
        change(path)
        for path in (b".envrc", b".github/workflows/x.yml", b"CLAUDE.md", b"uv.lock", b"a\x1b", b".gitmodules")
    ),
    change(b"out", 0o120000, target=b"/etc"),
    change(b"sub", 0o160000),
    change(b"core", size=LARGE_FILE + 1),
    commits=(dataclasses.replace(COMMIT, encoding="latin1"),),
    report={"stash": True},
    problems=(Problem(code="leftovers-failed", text="no"),),
    added=Added(secrets=(FOUND,), pointers=(FOUND,), hidden=(FOUND,)),
)


def gate(name: str, seen: Evidence) -> GateResult:
    return next(result for result in judge(seen) if result.name == name)


def test_clean_work_passes_every_gate_and_every_gate_is_listed() -> None:
    results = judge(evidence(change(b"src/main.c")))
    assert [result.name for result in results] == list(CHECKS)
    assert {result.verdict for result in results} == {Verdict.PASSED}
    assert not blocked(results)


def test_the_table_of_the_model_and_the_checks_are_the_same_gates_in_the_same_order() -> None:
    assert list(CHECKS) == list(GATES)


@pytest.mark.parametrize("name", [name for name, (usual, _) in GATES.items() if usual is Verdict.FLAGGED])
def test_a_policy_turns_every_flag_into_a_block_and_nothing_else(name: str) -> None:
    seen = ALL_FLAGGED
    results = {result.name: result.verdict for result in judge(seen, strict=[name])}
    usual = {result.name: result.verdict for result in judge(seen)}
    assert usual[name] is Verdict.FLAGGED
    assert results == usual | {name: Verdict.BLOCKED}
    assert blocked(judge(seen, strict=[name]))


@pytest.mark.parametrize("strict", [(), ("secrets",), tuple(GATES)])
def test_what_blocks_by_itself_blocks_whatever_the_policy_says(strict: tuple[str, ...]) -> None:
    seen = evidence(change(b".git/config"), descends=False)
    assert {gate.name for gate in judge(seen, strict=strict) if gate.verdict is Verdict.BLOCKED} == {
        "ancestry",
        "names",
    }


def test_strict_gates_without_a_hit_pass() -> None:
    assert not blocked(judge(evidence(change(b"src/main.c")), strict=list(GATES)))


def test_nothing_collected_passes_too() -> None:
    assert not blocked(judge(evidence(branches=())))


@pytest.mark.parametrize("code", sorted(STRUCTURE_PROBLEMS))
def test_a_problem_with_the_structure_blocks(code: str) -> None:
    problem = Problem(code=code, text="why\x1b[2J")
    result = gate("git-structure", evidence(problems=(problem,)))
    assert (result.verdict, result.detail) == (Verdict.BLOCKED, (r"why\x1b[2J",))


def test_a_problem_that_no_gate_knows_is_flagged_and_never_lost() -> None:
    result = gate("leftovers", evidence(problems=(Problem(code="brand-new", text="something"),)))
    assert (result.verdict, result.detail) == (Verdict.FLAGGED, ("something",))


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("ancestry", evidence(descends=False)),
        ("bundle-size", evidence(bundle_size=MAX_BUNDLE_SIZE + 1)),
        ("bundle-size", evidence(problems=(Problem(code="bundle-too-large", text="x"),))),
        ("commit-count", evidence(commits=(COMMIT,) * (MAX_COMMITS + 1))),
        ("file-count", evidence(*(change(b"f%d" % n) for n in range(MAX_CHANGED_FILES + 1)))),
        ("repeated-signatures", evidence(commits=(dataclasses.replace(COMMIT, signatures={"gpgsig": 2}),))),
    ],
)
def test_what_must_not_come_in_blocks(name: str, seen: Evidence) -> None:
    assert gate(name, seen).verdict is Verdict.BLOCKED


def test_the_caps_themselves_are_allowed() -> None:
    seen = evidence(change(b"f"), commits=(COMMIT,) * MAX_COMMITS, bundle_size=MAX_BUNDLE_SIZE)
    assert not blocked(judge(seen))


def test_one_signature_of_each_kind_and_several_merged_tags_pass() -> None:
    signed = dataclasses.replace(COMMIT, signatures={"gpgsig": 1, "gpgsig-sha256": 1, "mergetag": 2})
    assert gate("repeated-signatures", evidence(commits=(signed,))).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    "path",
    [
        b".git/config", b"a/.GIT/hooks/x", b".Git", b"git~1/config", b"GIT~1", b".git. /x", b".git ", b".git...",
        b".git::$INDEX_ALLOCATION/config", ".g\u200cit/config".encode(), "\ufeff.git".encode(), b"a\\.git\\config",
        b"../x", b"a/../../x", b"/etc/passwd", b"a//b", b"./a", b"",
    ],
)  # fmt: skip
def test_a_name_that_escapes_or_means_git_blocks(path: bytes) -> None:
    assert gate("names", evidence(change(path))).verdict is Verdict.BLOCKED


@pytest.mark.parametrize(
    "path", [b"a\nb", b"\x1b[31m", "\u202egpj".encode(), b"\xff\xfe", b"\x7f", "a\u200bb".encode()]
)
def test_a_name_that_misleads_is_flagged_and_shown_escaped(path: bytes) -> None:
    result = gate("names", evidence(change(path)))
    assert result.verdict is Verdict.FLAGGED
    assert result.detail[0].isprintable()


@pytest.mark.parametrize("path", [b".gitignore", b".github/x", b"git", b"a.git", "größe.txt".encode(), b"-rf", b"a b"])
def test_an_ordinary_name_passes(path: bytes) -> None:
    assert gate("names", evidence(change(path))).verdict is Verdict.PASSED


def test_names_that_differ_in_case_alone_are_flagged() -> None:
    result = gate("names", evidence(change(b"Readme"), spellings=((b"README", b"Readme"),)))
    assert (result.verdict, result.detail) == (
        Verdict.FLAGGED,
        ("readme is there in 2 spellings: README, Readme",),
    )


@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        ("p\u0430yload.py", Verdict.FLAGGED),
        ("\u043f\u0440\u0438\u0432\u0435\u0442.md", Verdict.PASSED),
        ("größe", Verdict.PASSED),
    ],
)
def test_a_name_in_letters_that_look_alike_is_flagged(path: str, verdict: Verdict) -> None:
    assert gate("names", evidence(change(path.encode()))).verdict is verdict


def test_a_deleted_name_is_no_danger() -> None:
    assert gate("names", evidence(change(b"a\x1bb", 0, status="D"))).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("path", "target", "verdict"),
    [
        (b"link", b"src/main.c", Verdict.PASSED),
        (b"a/b/link", b"../../readme", Verdict.PASSED),
        (b"a/link", b"./../a/./x", Verdict.PASSED),
        (b"link", b"..", Verdict.FLAGGED),
        (b"a/link", b"../../x", Verdict.FLAGGED),
        (b"link", b"/etc/passwd", Verdict.FLAGGED),
        (b"link", b"C:\\x", Verdict.FLAGGED),
        (b"link", b"a\\..\\..\\x", Verdict.FLAGGED),
        (b"link", b".git/hooks/pre-commit", Verdict.FLAGGED),
        (b"link", None, Verdict.FLAGGED),
        (b".gitmodules", b"x", Verdict.BLOCKED),
        (b"sub/.gitattributes", b"x", Verdict.BLOCKED),
        (b".GITIGNORE", b"x", Verdict.BLOCKED),
        (b".mailmap", b"x", Verdict.BLOCKED),
    ],
)
def test_symlinks_are_judged_by_where_they_lead(path: bytes, target: bytes | None, verdict: Verdict) -> None:
    assert gate("symlinks", evidence(change(path, 0o120000, target=target))).verdict is verdict


@pytest.mark.parametrize(
    ("name", "seen", "said"),
    [
        ("gitlinks", evidence(change(b"sub", 0o160000)), "sub -> commit 333333333333"),
        ("gitmodules", evidence(change(b".gitmodules")), ".gitmodules changed"),
        ("large-files", evidence(change(b"core", size=LARGE_FILE + 1)), "core has"),
        (
            "large-files",
            evidence(past=((BLOB, 60_000_000),)),
            "an object that only earlier commits have (333333333333)",
        ),
        ("runs-later", evidence(change(b".envrc")), ".envrc (shells and environments)"),
        ("runs-later", evidence(change(b".envrc", 0, status="D")), ".envrc (shells and environments, deleted)"),
        ("runs-later", evidence(change(b"Makefile"), change(b".envrc")), ".envrc"),
        ("runs-in-ci", evidence(change(b".gitlab-ci.yml")), ".gitlab-ci.yml (CI)"),
        ("steers-agents", evidence(change(b"AGENTS.md")), "AGENTS.md (agents' instructions)"),
        ("dependencies", evidence(change(b"go.sum")), "go.sum (lock files)"),
        ("secrets", evidence(added=Added(secrets=(FOUND,))), "config.py:3: GitHub token (commit 222222222222)"),
        ("secrets", evidence(added=Added(unread="too much")), "too much"),
        ("lfs-pointers", evidence(added=Added(pointers=(FOUND,))), "config.py:3: is a Git LFS pointer"),
        ("hidden-text", evidence(added=Added(hidden=(FOUND,))), "config.py:3: GitHub token"),
        ("refs", evidence(report={"deleted": ("main",)}), "the branch main was deleted"),
        ("refs", evidence(report={"odd_refs": 3, "odd_names": ("-x",)}), "3 refs with odd names"),
        ("refs", evidence(report={"head": {"kind": "detached", "name": ""}}), "HEAD was detached"),
        ("refs", evidence(report={"stash": True}), "there is a stash"),
        ("refs", evidence(report={"other_refs": 2}), "2 tags"),
        ("refs", evidence(report={"left": ({"inside": "x", "sha": HEAD, "reason": "many"},)}), "x (222222222222)"),
        ("refs", evidence(problems=(Problem(code="head-odd", text="HEAD says x"),)), "HEAD says x"),
        ("leftovers", evidence(problems=(Problem(code="leftovers-failed", text="no"),)), "no"),
    ],
)
def test_what_a_reviewer_should_see_is_flagged(name: str, seen: Evidence, said: str) -> None:
    result = gate(name, seen)
    assert result.verdict is Verdict.FLAGGED
    assert result.detail[0].startswith(said)
    assert not blocked(judge(seen))


def test_detail_is_bounded_and_what_blocks_comes_first() -> None:
    seen = evidence(*(change(b"a\x1b%d" % n) for n in range(30)), change(b".git/x"))
    result = gate("names", seen)
    assert result.verdict is Verdict.BLOCKED
    assert result.detail[0].startswith(".git/x")
    assert (len(result.detail), result.detail[-1]) == (21, "and 11 more")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (b".github/workflows/ci.yml", "CI"),
        (b"sub/.gitlab-ci.yml", "CI"),
        (b".husky/pre-commit", "git hooks and attributes"),
        (b".githooks/post-merge", "git hooks and attributes"),
        (b"docs/.gitattributes", "git hooks and attributes"),
        (b".envrc", "shells and environments"),
        (b".vscode/tasks.json", "editors and containers"),
        (b".idea/workspace.xml", "editors and containers"),
        (b".devcontainer/devcontainer.json", "editors and containers"),
        (b"Makefile", "build scripts"),
        (b"lib/GNUmakefile", "build scripts"),
        (b"package.json", "build scripts"),
        (b"setup.py", "build scripts"),
        (b"tests/conftest.py", "loaded by interpreters"),
        (b"src/evil.pth", "loaded by interpreters"),
        (b"lib/sitecustomize.py", "loaded by interpreters"),
        (b".forgejo/workflows/x.yaml", "CI"),
        (b".woodpecker", "CI"),
        (b"lefthook-local.yml", "git hooks and attributes"),
        (b".pre-commit-config.yaml", "git hooks and attributes"),
        (b"hooks/pre-push", "git hooks and attributes"),
        (b"a/.cursor/rules/x.mdc", "agents' instructions"),
        (b".github/copilot-instructions.md", "agents' instructions"),
        (b".paddock/policy.toml", "agents' instructions"),
        (b"uv.lock", "lock files"),
        (b"hooks/readme", ""),
        (b"package-lock.json", "lock files"),
        (b"requirements-dev.txt", "lock files"),
        (b"CLAUDE.md", "agents' instructions"),
        (b"AGENTS.md", "agents' instructions"),
        (b".claude/settings.json", "agents' instructions"),
        (b".mcp.json", "agents' instructions"),
        (b"src/main.c", ""),
        (b"docs/makefile.md", ""),
        (b"mypackage.json", ""),
        (b"vscode/x", ""),
        (b"a\nMakefile.txt.c", ""),
        (b"x.pth/readme", ""),
    ],
)
def test_files_that_run_later_are_told_by_kind(path: bytes, kind: str) -> None:
    found = runs_later(path)
    assert (found.name if found else "") == kind


def test_a_large_file_of_the_tree_and_the_one_that_it_replaces_are_not_told_again() -> None:
    large = change(b"core", size=LARGE_FILE + 1, old_sha="4" * 40)
    result = gate("large-files", evidence(large, past=((BLOB, LARGE_FILE + 1), ("4" * 40, LARGE_FILE + 1))))
    assert len(result.detail) == 1


@given(st.binary(max_size=60))
def test_any_path_has_a_kind_or_none(path: bytes) -> None:
    assert runs_later(path) == runs_later(path.upper())
    assert runs_later(b".github/workflows/" + path) is not None


def test_the_index_of_a_pack_tells_how_long_each_object_is() -> None:
    shown = b"12 %s (00000000)\n300 %s (00000000)\n100 %s (00000000)\n" % (b"a" * 40, b"b" * 40, b"c" * 40)
    assert packed_sizes(shown, 420) == [("a" * 40, 88), ("c" * 40, 200), ("b" * 40, 120)]


def test_a_commit_is_read_from_its_raw_form() -> None:
    raw = (
        b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nparent " + START.encode() + b"\n"
        b"author Mal\x1b[31m <m@x> 99999999999 +0000\ncommitter C <c@x> 1 +0000\n"
        b"gpgsig -----BEGIN\n more\ngpgsig again\n\n\xe2\x80\xaesubject\xff\nbody gpgsig x\n"
    )
    commit = parse_commit(HEAD, raw)
    assert commit.parents == (START,)
    assert commit.author == r"Mal\x1b[31m <m@x>"
    assert commit.subject == r"\u202esubject\xff"
    assert commit.signatures == {"gpgsig": 2}


@given(st.binary())
def test_every_commit_can_be_read(raw: bytes) -> None:
    commit = parse_commit(HEAD, raw)
    assert (commit.subject + commit.author).isprintable()


@given(st.binary())
def test_every_listing_is_read_or_refused(data: bytes) -> None:
    for parse in (
        parse_raw_diff,
        parse_batch,
        lambda each: packed_sizes(each, 9),
        lambda each: parse_numstats(each, [HEAD]),
    ):
        with contextlib.suppress(ValueError):
            parse(data)
            continue


@given(st.lists(st.binary(min_size=1).filter(lambda path: b"\0" not in path), max_size=8))
def test_any_path_survives_the_raw_listing(paths: list[bytes]) -> None:
    zero = b"0" * 40
    data = b"".join(b":000000 100644 %s %s A\0%s\0" % (zero, BLOB.encode(), path) for path in paths)
    assert [each.path for each in parse_raw_diff(data)] == paths


@given(st.dictionaries(st.from_regex(r"[0-9a-f]{40}", fullmatch=True), st.binary(), max_size=5))
def test_any_content_survives_the_batch_listing(objects: dict[str, bytes]) -> None:
    data = b"".join(b"%s blob %d\n%s\n" % (sha.encode(), len(raw), raw) for sha, raw in objects.items())
    assert parse_batch(data) == objects


def test_a_file_called_like_a_commit_does_not_pass_for_one() -> None:
    data = (
        HEAD.encode() + b"\x001\t2\t" + START.encode() + b"\0" + b"-\t-\tbin\0" + START.encode() + b"\x003\t0\ta\tb\0"
    )
    assert parse_numstats(data, [HEAD, START]) == {HEAD: (2, 1, 2), START: (1, 3, 0)}
