"""After a batch: its branches are merged, pushed and offered, each once, and it is forgotten without a trace."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from runner.batch import after
from runner.batch.picking import picked
from runner.batch.where import parse_where
from runner.cli.app import app
from runner.errors import PaddockError, RefusedError, UsageError
from runner.model.identity import Identity
from runner.repo.forges import GitHub
from runner.repo.source import Source
from runner.run import branches
from runner.sandbox.fake import FakeBox
from runner.store.afterwards import Afterwards
from runner.store.batches import Batches
from runner.store.ledger import Ledger
from runner.store.owner import this_process
from runner.store.runs import read_result, run_paths
from tests.unit.batch.test_carry import Place
from tests.unit.repo.forge_programs import Programs
from tests.unit.repo.sources import fingerprint
from tests.unit.run.fake_host import git

ONE = """
[[tasks]]
name = "first"
repo = "REPO"
command = ["one"]
tags = ["easy"]
"""
TASKS = f"""{ONE}
[[tasks]]
name = "second"
repo = "REPO"
command = ["two"]
[[tasks]]
name = "apart"
repo = "REPO"
command = ["apart"]
attempts = 2
[[tasks]]
name = "fails"
repo = "REPO"
command = ["fails-late"]
[[tasks]]
name = "nothing"
repo = "REPO"
command = ["nothing"]
"""


def leaves(file: str, text: str = "x", code: int = 0, subject: str = "s") -> Callable[[FakeBox], int]:
    def program(box: FakeBox) -> int:
        workspace = box.path("/workspace")
        (workspace / file).write_text(text, encoding="utf-8")
        git(workspace, "add", file)
        git(workspace, "commit", "--quiet", "--message", subject)
        return code

    return program


class After(Place):
    """A batch that is over, its repository with a remote, and a user with a home."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder)
        programs = {
            "one": leaves("README", "one", subject="fixes #1 by @octocat"),
            "two": leaves("README", "two"),
            "apart": leaves("apart"),
            "fails-late": leaves("late", code=3),
        }
        self.fake.engine.programs |= programs
        git(folder, "init", "--quiet", "--bare", "bare.git")
        git(self.repository, "remote", "add", "origin", "https://github.com/acme/sample.git")
        (self.fake.home / ".gitconfig").write_text(
            f'[url "{folder}/bare.git"]\ninsteadOf = https://github.com/acme/sample.git\n'
            "[user]\nname = User\nemail = user@example.test\n"
        )
        self.programs = Programs(folder / "forge")
        monkeypatch.setenv("HOME", str(self.fake.home))
        monkeypatch.setenv("PATH", f"{self.programs.bin}:{os.environ['PATH']}")
        monkeypatch.setenv("PADDOCK_STATE_DIR", str(self.fake.state))
        git(self.repository, "push", "--quiet", str(folder / "bare.git"), "main")

    @property
    def repository(self) -> Path:
        return self.fake.repository

    def after(self, *argv: str, code: int = 0) -> dict[str, Any]:
        """What a command made of each task: `did`, and the whole row."""
        done = CliRunner().invoke(app, ["batch", *argv, "--json"], catch_exceptions=False)
        assert done.exit_code == code, done.output
        document = json.loads(done.stdout)
        return {row["name"]: row for row in document["tasks"]}

    def refs(self) -> dict[str, str]:
        """The branches of the remote."""
        said = git(self.folder / "bare.git", "for-each-ref", "--format=%(refname:lstrip=2) %(objectname)")
        return dict(line.split(" ") for line in said.splitlines())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> After:
    return After(tmp_path, monkeypatch)


def test_by_default_what_succeeded_is_meant_and_an_expression_means_anything_with_a_branch(place: After) -> None:
    batch = place.carry(TASKS)
    means: dict[str, list[tuple[str, int]]] = {
        "": [("first", 1), ("second", 1), ("apart", 1)],
        "outcome=agent-failed": [("fails", 1)],
        "name~'*'": [("first", 1), ("second", 1), ("apart", 1), ("fails", 1)],
        "attempt=2": [("apart", 2)],
        "name=apart and chosen=no": [("apart", 2)],
        "tag=easy and repo=sample and commits>=1 and gates!=blocked and model=''": [("first", 1)],
    }
    with Batches(place.host.ledger) as batches:
        row = batches.find(batch)
        for text, expected in means.items():
            where = parse_where(text) if text else None
            found = picked(row, batches, where, lambda run: read_result(run_paths(place.fake.state, run)))
            assert [(pick.task.name, pick.attempt.attempt) for pick in found] == expected, text
        for text, said in (("name=no", "no task that --where means"), ("name=nothing", "none of them left a branch")):
            with pytest.raises(RefusedError, match=said):
                picked(row, batches, parse_where(text), lambda _: pytest.fail("no result is needed"))


def test_branches_are_merged_one_after_the_other_and_a_conflict_is_taken_back(place: After) -> None:
    place.carry(TASKS)
    did = place.after("merge", code=18)
    assert {name: row["did"] for name, row in did.items()} == {"first": "done", "second": "failed", "apart": "done"}
    assert did["first"]["text"].startswith("fast-forward of main")
    assert "cannot be merged into main" in did["second"]["text"]
    assert did["apart"]["text"].startswith("merge commit of main")
    assert (place.repository / "README").read_text() == "one"
    assert (place.repository / "apart").exists()
    assert git(place.repository, "status", "--porcelain") == ""
    head = git(place.repository, "rev-parse", "HEAD")
    assert place.after("merge", "--where", "name!=second and state=succeeded")["apart"]["text"] == "in main already"
    assert git(place.repository, "rev-parse", "HEAD") == head
    done = CliRunner().invoke(app, ["batch", "merge"], catch_exceptions=False)
    header, *lines = done.stdout.splitlines()
    assert (header.split("  ")[0], [line.split()[0] for line in lines]) == ("TASK", ["first", "second", "apart"])
    assert ("failed: paddock/" in lines[1], "2 done, 1 failed" in done.stderr) == (True, True)
    (place.repository / "mine").touch()
    assert "not clean: mine" in place.after("merge", "--where", "outcome=agent-failed", code=18)["fails"]["text"]


def test_branches_are_pushed_to_names_of_their_own_and_nothing_else_is(place: After) -> None:
    place.carry(TASKS)
    before = place.refs()
    did = place.after("push", "--branch", "bots/{name}-{attempt}")
    heads = {f"bots/{name}-1": git(place.repository, "rev-parse", row["branch"]) for name, row in did.items()}
    assert place.refs() == before | heads
    again = place.after("push", "--branch", "bots/{name}-{attempt}", "--where", "name=first")
    assert again["first"]["text"].startswith("there already: bots/first-1")
    assert place.after("push")["first"]["text"].startswith(f"new: {did['first']['branch']}")
    other = place.after("push", "--branch", "bots/first-1", "--where", "name=second", code=18)
    assert "other commits there" in other["second"]["text"]
    assert place.refs()["bots/first-1"] == heads["bots/first-1"]
    with pytest.raises(UsageError, match="first and second would both be bots/all"):
        place.after("push", "--branch", "bots/all")


def test_a_name_that_may_be_somebody_elses_is_refused_before_anything_is_pushed(place: After) -> None:
    place.carry(ONE)
    before = place.refs()
    for template in ("main", "{name}", "{agent}/{name}", "refs/heads/{name}", "bots/../{name}", "bots/.{name}", "/x"):
        with pytest.raises(UsageError, match="could be somebody else's"):
            place.after("push", "--branch", template)
    with pytest.raises(UsageError, match=r"\{nam\} stands for nothing"):
        place.after("push", "--branch", "bots/{nam}")
    assert place.refs() == before


def test_nothing_is_pushed_to_the_default_branch_whatever_it_is_called(place: After) -> None:
    place.carry(ONE)
    main = place.refs()["main"]
    git(place.folder / "bare.git", "update-ref", "refs/heads/bots/first", main)
    git(place.folder / "bare.git", "symbolic-ref", "HEAD", "refs/heads/bots/first")
    did = place.after("push", "--branch", "bots/{name}", code=18)
    assert "is the default branch" in did["first"]["text"]
    assert place.refs() == {"bots/first": main, "main": main}


def test_nothing_is_pushed_from_a_repository_of_another_users(place: After, monkeypatch: pytest.MonkeyPatch) -> None:
    place.carry(ONE)
    monkeypatch.setattr(Source, "user", lambda *_: Identity(uid=1, gid=1))
    assert "belongs to another user" in place.after("push", code=18)["first"]["text"]
    assert list(place.refs()) == ["main"]


def test_requests_are_opened_once_and_say_nothing_that_a_forge_would_act_on(place: After) -> None:
    place.carry(TASKS)
    did = place.after("pr", "--draft", "--title", "{repo}: {name}")
    assert [row["text"] for row in did.values()] == ["opened"] * 3
    said = {each["head"]: each for each in place.programs.opened}
    first = said[did["first"]["branch"]]
    assert (first["title"], first["base"], first["draft"]) == ("sample: first", "main", True)
    assert "fixes #\u200b1 by @\u200boctocat" in first["body"]
    assert set(said) == {row["branch"] for row in did.values()} <= set(place.refs())
    starts = len(place.programs.started)
    again = place.after("pr")
    assert {row["text"] for row in again.values()} == {"opened before"}
    assert {row["url"] for row in again.values()} == {row["url"] for row in did.values()}
    assert len(place.programs.started) == starts, "nobody is asked again"


def test_a_request_that_was_opened_by_a_process_that_was_killed_is_found_and_not_opened_again(
    place: After, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.carry(ONE)
    opened = GitHub.open

    def dying(*argv: Any) -> Any:
        opened(*argv)
        raise KeyboardInterrupt

    monkeypatch.setattr(GitHub, "open", dying)
    assert place.after("pr", code=130)["first"]["did"] == "left"
    monkeypatch.setattr(GitHub, "open", opened)
    assert place.after("pr")["first"]["text"] == "open already"
    assert len(place.programs.opened) == 1
    place.programs.change(1, state="closed")
    assert place.after("pr")["first"]["text"] == "opened before"


def test_gitlab_is_asked_where_the_user_says_so_and_its_refusal_is_told(place: After) -> None:
    place.carry(ONE)
    (place.folder / "body.md").write_text("For {name}.\n{commits}\n")
    argv = ("pr", "--forge", "gitlab", "--body-file", str(place.folder / "body.md"))
    place.programs.refuse('{"message": ["nope"]}')
    assert "nope" in place.after(*argv, code=18)["first"]["text"]
    (place.programs.folder / "refuses").unlink()
    assert place.after(*argv)["first"]["text"] == "opened"
    assert place.programs.started[-1][0] == "glab"
    assert place.programs.opened[-1]["description"].startswith("For `first`.\n\n- `")


SENSELESS = {
    ("--title", "{what}"): "--title: {what} stands for nothing",
    ("--forge", "forgejo"): "'forgejo' is not known",
    ("--where", "name"): "--where, column 5",
}


def test_what_makes_no_sense_is_refused_before_anything_is_pushed(place: After) -> None:
    place.carry(ONE)
    for argv, said in SENSELESS.items():
        with pytest.raises(UsageError, match=said):
            place.after("pr", *argv)
    assert "the remote has no branch gone" in place.after("pr", "--base", "gone", code=18)["first"]["text"]
    assert (list(place.refs()), place.programs.opened) == (["main"], [])


def test_a_dry_run_changes_nothing_and_asks_nobody(place: After) -> None:
    place.carry(ONE)
    before = fingerprint(place.repository), place.refs()
    assert "to be merged into main" in place.after("merge", "-n")["first"]["text"]
    assert "to be pushed as paddock/" in place.after("push", "-n")["first"]["text"]
    assert "offered to github.com/acme/sample" in place.after("pr", "-n")["first"]["text"]
    assert CliRunner().invoke(app, ["batch", "rm", "last", "--runs", "-n"]).exit_code == 0
    assert (fingerprint(place.repository), place.refs()) == before
    assert place.programs.started == []
    assert place.after("push")["first"]["did"] == "done"


def test_whoever_asks_to_stop_gets_what_is_under_way_and_nothing_new(
    place: After, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.carry(ONE + ONE.replace("first", "later"))
    merge = branches.merge_work

    def stopping(*argv: Any, **options: Any) -> Any:
        os.kill(os.getpid(), 2)
        return merge(*argv, **options)

    monkeypatch.setattr(after, "merge_work", stopping)
    did = place.after("merge", code=130)
    assert [row["did"] for row in did.values()] == ["done", "left"]
    assert (place.repository / "README").read_text() == "one"

    def hanging(*_: object) -> str:
        os.kill(os.getpid(), 2)
        time.sleep(60)
        return pytest.fail("it was not interrupted")

    monkeypatch.setattr(after, "push_commit", hanging)
    did = place.after("push", code=130)
    assert [row["text"].partition(" ")[0] for row in did.values()] == ["stopped", "stopped"]


# --- URLs, and rm


def test_what_came_from_a_url_goes_back_there_and_has_nothing_to_be_merged_into(place: After) -> None:
    place.carry(ONE.replace("REPO", f"file://{place.folder}/bare.git"))
    assert "there is no repository of yours" in place.after("merge", code=18)["first"]["text"]
    did = place.after("push", "--remote", "nobody")
    assert did["first"]["branch"] in place.refs()


def paths(state: Path) -> set[str]:
    """What a state directory holds, but for the ledger's own files and shipped programs."""
    found = {path.relative_to(state).as_posix() for path in state.rglob("*")}
    return {path for path in found if not path.startswith(("ledger.db", "programs"))}


def test_a_batch_is_forgotten_without_a_trace_and_branches_stay(place: After) -> None:
    before = place.carry(ONE.replace("first", "before"))
    kept = paths(place.fake.state)
    url = f"file://{place.folder}/bare.git"
    batch = place.carry(ONE + ONE.replace("first", "remote").replace("REPO", url))
    place.after("pr", "--where", "name=first")
    kept_branches = place.fake.branches()
    run = CliRunner().invoke
    assert "kept clone bare-" in run(app, ["batch", "rm", batch, "--runs"], catch_exceptions=False).stdout
    assert [path for path in paths(place.fake.state) - kept if not path.startswith("clones")] == []
    with Batches(place.host.ledger) as batches, Ledger(place.host.ledger) as ledger:
        assert [row.id for row in batches.list()] == [before]
        assert {row.batch.partition("/")[0] for row in ledger.list()} == {before}
    with Afterwards(place.host.ledger) as afterwards:
        for table in ("batch_tasks", "batch_attempts", "batch_requests"):
            assert {name for (name,) in afterwards._found(f"SELECT batch FROM {table}")} <= {before}  # noqa: S608
    assert place.fake.branches() == kept_branches


def test_with_force_the_clone_of_a_url_goes_too_unless_somebody_else_uses_it(place: After) -> None:
    text = ONE.replace("REPO", f"file://{place.folder}/bare.git")
    first, second = place.carry(text), place.carry(text)
    run = CliRunner().invoke
    run(app, ["batch", "rm", first, "--runs", "--force"], catch_exceptions=False)
    assert any(path.endswith(".git") for path in paths(place.fake.state))
    run(app, ["batch", "rm", second, "--runs", "--force"], catch_exceptions=False)
    assert paths(place.fake.state) == {"runs"}


def test_a_batch_that_is_carried_out_or_has_a_run_under_way_is_not_forgotten(place: After) -> None:
    batch = place.carry(ONE)
    pid, started = this_process()
    with Batches(place.host.ledger) as batches, Ledger(place.host.ledger) as ledger:
        batches._change("UPDATE batches SET state = 'running', owner_pid = ?, owner_started = ?", (pid, started))
        with pytest.raises(PaddockError, match="is being carried out"):
            CliRunner().invoke(app, ["batch", "rm", batch], catch_exceptions=False)
        batches._change("UPDATE batches SET owner_started = 1")
        ledger._change("UPDATE runs SET state = 'running' WHERE id = (SELECT min(id) FROM runs)")
        with pytest.raises(PaddockError, match="has runs under way"):
            CliRunner().invoke(app, ["batch", "rm", batch, "--runs", "--force"], catch_exceptions=False)
        assert batches.tasks(batch)
